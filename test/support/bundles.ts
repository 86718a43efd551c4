/** Bundles of sidecar-style egress in every flavour, as YAML: what `migrate` has to turn into ambient manifests. */
export const bundles: Readonly<Record<string, string>> = {
	plain: `# Who pays, and how.
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata:
  name: payments   # the entry stays
  namespace: shop
spec:
  hosts:
  - api.payments.example
  ports:
  - number: 80
    name: http
    protocol: HTTP
  resolution: DNS
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: payments, namespace: shop}
spec:
  selector: {istio: egressgateway}
  servers:
  - port: {number: 80, name: http, protocol: HTTP}
    hosts: [api.payments.example]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: payments, namespace: shop}
spec:
  hosts: [api.payments.example]
  gateways: [mesh, payments]
  http:
  - match: [{gateways: [mesh], port: 80}]
    route: [{destination: {host: istio-egressgateway.istio-system.svc.cluster.local, subset: payments, port: {number: 80}}, weight: 100}]
  - match: [{gateways: [payments], port: 80}]
    route: [{destination: {host: api.payments.example, port: {number: 80}}, weight: 100}]
---
# Only for the hop.
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: payments-gateway, namespace: shop}
spec:
  host: istio-egressgateway.istio-system.svc.cluster.local
  subsets: [{name: payments}]
`,
	origination: `apiVersion: networking.istio.io/v1beta1
kind: ServiceEntry
metadata: {name: github, namespace: shop}
spec:
  hosts: [api.github.example]
  ports:
  - {number: 80, name: http, protocol: HTTP}
  - {number: 443, name: https, protocol: HTTPS}
  resolution: DNS
---
apiVersion: networking.istio.io/v1beta1
kind: Gateway
metadata: {name: github, namespace: istio-system}
spec:
  selector: {istio: egressgateway}
  servers:
  - port: {number: 80, name: https, protocol: HTTPS}
    hosts: [shop/api.github.example]
    tls: {mode: ISTIO_MUTUAL}
---
apiVersion: networking.istio.io/v1beta1
kind: DestinationRule
metadata: {name: github-gateway, namespace: shop}
spec:
  host: istio-egressgateway.istio-system.svc.cluster.local
  subsets:
  - name: github
    trafficPolicy:
      loadBalancer: {simple: ROUND_ROBIN}
      connectionPool: {tcp: {maxConnections: 10}}
      portLevelSettings:
      - port: {number: 80}
        tls: {mode: ISTIO_MUTUAL, sni: api.github.example}
---
apiVersion: networking.istio.io/v1beta1
kind: VirtualService
metadata: {name: github, namespace: shop}
spec:
  hosts: [api.github.example]
  gateways: [mesh, istio-system/github]
  http:
  - match: [{gateways: [mesh], port: 80}]
    timeout: 30s
    route: [{destination: {host: istio-egressgateway.istio-system.svc.cluster.local, subset: github, port: {number: 80}}}]
  - match: [{gateways: [istio-system/github], port: 80}]
    timeout: 5s
    retries: {attempts: 2, perTryTimeout: 2s, retryOn: connect-failure}
    headers: {request: {set: {x-team: shop}}}
    route: [{destination: {host: api.github.example, port: {number: 443}}}]
---
apiVersion: networking.istio.io/v1beta1
kind: DestinationRule
metadata: {name: github-tls, namespace: shop}
spec:
  host: api.github.example
  trafficPolicy:
    connectionPool: {tcp: {connectTimeout: 3s}}
    portLevelSettings:
    - port: {number: 443}
      tls: {mode: SIMPLE, sni: api.github.example}
`,
	passthrough: `apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: bank, namespace: pay}
spec:
  hosts: [api.bank.example, files.bank.example]
  ports: [{number: 443, name: tls, protocol: TLS}]
  location: MESH_EXTERNAL
  resolution: DNS
  exportTo: ["."]
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: bank, namespace: pay}
spec:
  selector: {istio: egressgateway, app: istio-egressgateway}
  servers:
  - port: {number: 443, name: tls, protocol: TLS}
    hosts: [api.bank.example, nowhere.bank.example]
    tls: {mode: PASSTHROUGH}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: bank-mesh, namespace: pay}
spec:
  hosts: [api.bank.example]
  tls:
  - match: [{port: 443, sniHosts: [api.bank.example]}]
    route: [{destination: {host: istio-egressgateway.istio-system.svc.cluster.local, port: {number: 443}}}]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: bank-gateway, namespace: pay}
spec:
  hosts: [api.bank.example]
  gateways: [bank]
  tls:
  - match: [{gateways: [bank], port: 443, sniHosts: [api.bank.example]}]
    route: [{destination: {host: api.bank.example, port: {number: 443}}}]
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: only-billing, namespace: istio-system}
spec:
  selector: {matchLabels: {istio: egressgateway}}
  action: ALLOW
  rules:
  - from: [{source: {principals: [cluster.local/ns/pay/sa/billing]}}]
    to: [{operation: {ports: ["443"]}}]
`,
	mutual: `apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: partner, namespace: istio-egress}
spec:
  selector: {istio: egressgateway}
  servers:
  - port: {number: 443, name: https, protocol: HTTPS}
    hosts: [partner.example]
    tls: {mode: ISTIO_MUTUAL}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: partner, namespace: shop}
spec:
  hosts: [partner.example]
  gateways: [mesh, istio-egress/partner]
  http:
  - match: [{gateways: [mesh], port: 80}]
    route: [{destination: {host: istio-egressgateway.istio-egress.svc.cluster.local, port: {number: 443}}}]
  - match: [{gateways: [istio-egress/partner], port: 443, uri: {exact: /v1}}]
    timeout: 0.5s
    route: [{destination: {host: partner.example, port: {number: 443}}}]
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: partner-mtls, namespace: istio-egress}
spec:
  host: partner.example
  workloadSelector: {matchLabels: {istio: egressgateway}}
  exportTo: ["."]
  trafficPolicy:
    portLevelSettings:
    - port: {number: 443}
      tls: {mode: MUTUAL, credentialName: partner-client, sni: partner.example}
`,
	wildcard: `apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: wiki, namespace: docs}
spec:
  hosts: ["*.wiki.example", wiki.example]
  ports: [{number: 443, name: https, protocol: HTTPS}]
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: wiki, namespace: docs}
spec:
  selector: {istio: egressgateway}
  servers:
  - port: {number: 443, name: tls, protocol: TLS}
    hosts: ["*.wiki.example"]
    tls: {mode: PASSTHROUGH}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: wiki, namespace: docs}
spec:
  hosts: ["*.wiki.example"]
  gateways: [mesh, wiki]
  tls:
  - match: [{gateways: [mesh], port: 443, sniHosts: ["*.wiki.example"]}]
    route: [{destination: {host: istio-egressgateway.istio-system.svc.cluster.local, port: {number: 443}}}]
  - match: [{gateways: [wiki], port: 443, sniHosts: ["*.wiki.example"]}]
    route: [{destination: {host: www.wiki.example, port: {number: 443}}, weight: 100}]
`,
	gatewayApi: `apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: cnn, namespace: news}
spec:
  hosts: [edition.news.example]
  ports: [{number: 80, name: http, protocol: HTTP}]
  resolution: DNS
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata:
  name: news-egress
  namespace: news
  annotations: {networking.istio.io/service-type: ClusterIP}
spec:
  gatewayClassName: istio
  listeners:
  - name: http
    hostname: edition.news.example
    port: 80
    protocol: HTTP
    allowedRoutes: {namespaces: {from: Same}}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: to-gateway, namespace: news}
spec:
  parentRefs: [{group: networking.istio.io, kind: ServiceEntry, name: cnn}]
  rules:
  - backendRefs: [{name: news-egress-istio, port: 80}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: from-gateway, namespace: news}
spec:
  parentRefs: [{name: news-egress}]
  hostnames: [edition.news.example]
  rules:
  - matches: [{path: {type: PathPrefix, value: /world}}]
    timeouts: {request: 5s}
    backendRefs: [{group: networking.istio.io, kind: Hostname, name: edition.news.example, port: 80}]
`,
	gatewayApiTls: `apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: cnn, namespace: news}
spec:
  hosts: [edition.news.example]
  ports: [{number: 80, name: http, protocol: HTTP}, {number: 443, name: https, protocol: HTTPS}]
  resolution: DNS
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata:
  name: news-egress
  namespace: news
  annotations: {networking.istio.io/service-type: ClusterIP}
spec:
  gatewayClassName: istio
  listeners:
  - name: http
    hostname: edition.news.example
    port: 80
    protocol: HTTP
    allowedRoutes: {namespaces: {from: Same}}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: to-gateway, namespace: news}
spec:
  parentRefs: [{group: networking.istio.io, kind: ServiceEntry, name: cnn, port: 80}]
  rules:
  - backendRefs: [{name: news-egress-istio, port: 80}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: from-gateway, namespace: news}
spec:
  parentRefs: [{name: news-egress}]
  hostnames: [edition.news.example]
  rules:
  - matches: [{path: {type: PathPrefix, value: /world}}]
    timeouts: {request: 5s}
    filters: [{type: RequestHeaderModifier, requestHeaderModifier: {set: [{name: x-a, value: b}]}}]
    backendRefs: [{group: networking.istio.io, kind: Hostname, name: edition.news.example, port: 443, weight: 9}, {group: networking.istio.io, kind: Hostname, name: mirror.news.example, port: 80, weight: 1}]
  - matches: [{path: {type: Exact, value: /old}}]
    filters: [{type: RequestRedirect, requestRedirect: {path: {type: ReplaceFullPath, replaceFullPath: /new}, statusCode: 301}}]
  - backendRefs: [{group: networking.istio.io, kind: Hostname, name: edition.news.example, port: 443}]
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: mirror, namespace: news}
spec:
  hosts: [mirror.news.example]
  ports: [{number: 80, name: http, protocol: HTTP}]
  resolution: DNS
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: tls, namespace: news}
spec:
  host: edition.news.example
  trafficPolicy:
    portLevelSettings: [{port: {number: 443}, tls: {mode: SIMPLE, sni: edition.news.example}}]
`,
	asm: `apiVersion: istio.alibabacloud.com/v1beta1
kind: ASMEgressTrafficPolicy
metadata: {name: egress-by-egressgateway, namespace: istio-egress}
spec:
  byEgressGateway: {name: egressgateway}
  egressRules:
  - name: pay
    from:
    - {namespace: shop, workloadSelector: {app: checkout}}
    to:
    - name: pay-http
      hosts: [www.pay.example]
      port: {number: 80, name: http, protocol: HTTP}
      byEgressGateway: {port: 80}
      httpsUpgrade: {enabled: true, port: 443}
    - name: pay-https
      hosts: [www.pay.example]
      port: {number: 443, name: https, protocol: HTTPS}
      byEgressGateway: {port: 444}
`,
	hard: `apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: build, namespace: ci}
spec:
  hosts: [ci.build.example, git.build.example]
  ports:
  - {number: 443, name: tls, protocol: TLS}
  - {number: 5555, name: agent, protocol: TCP}
  resolution: DNS
  meshConfig: {outboundTrafficPolicy: {mode: REGISTRY_ONLY}}
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: build, namespace: ci}
spec:
  selector: {istio: egressgateway}
  servers:
  - port: {number: 443, name: tls, protocol: TLS}
    hosts: ["*"]
    tls: {mode: PASSTHROUGH, minProtocolVersion: TLSV1_2}
    bind: 127.0.0.1
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: build, namespace: ci}
spec:
  hosts: [ci.build.example, git.build.example]
  gateways: [mesh, build]
  exportTo: ["."]
  tls:
  - match: [{gateways: [mesh], port: 443, sniHosts: [ci.build.example, git.build.example]}]
    route: [{destination: {host: istio-egressgateway.istio-system.svc.cluster.local}}]
  - match: [{gateways: [build], port: 443, sniHosts: [git.build.example]}]
    route: [{destination: {host: dummy.local}}]
  tcp:
  - match: [{gateways: [mesh], port: 5555, destinationSubnets: [192.0.2.0/24]}]
    route: [{destination: {host: istio-egressgateway.istio-system.svc.cluster.local, port: {number: 5555}}}]
  - match: [{gateways: [build], port: 5555}]
    route: [{destination: {host: ci.build.example, port: {number: 5555}}}]
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: tunnel, namespace: ci}
spec:
  host: git.build.example
  trafficPolicy: {tunnel: {protocol: CONNECT, targetHost: git.build.example, targetPort: 443}}
---
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: {name: default, namespace: ci}
spec:
  outboundTrafficPolicy:
    mode: ALLOW_ANY
    egressProxy: {host: istio-egressgateway.istio-system.svc.cluster.local, port: {number: 443}}
---
apiVersion: networking.istio.io/v1alpha3
kind: EnvoyFilter
metadata: {name: sni, namespace: istio-system}
spec:
  workloadSelector: {labels: {istio: egressgateway}}
  configPatches: []
`,
};
