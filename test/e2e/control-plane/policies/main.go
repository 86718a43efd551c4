// Compiles admission policies as API servers of given versions of Kubernetes would, and evaluates them as ours does:
// in its own code, without its noise. Reads {"policies": […], "runs": […]} and writes what failed and what each run cost.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"syscall"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/version"
	"k8s.io/apiserver/pkg/admission"
	plugincel "k8s.io/apiserver/pkg/admission/plugin/cel"
	"k8s.io/apiserver/pkg/admission/plugin/policy/mutating/patch"
	"k8s.io/apiserver/pkg/admission/plugin/policy/validating"
	"k8s.io/apiserver/pkg/admission/plugin/webhook/matchconditions"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/cel/environment"
)

type request struct {
	// The minor versions to compile for: 30 for 1.30.
	Versions []uint                   `json:"versions"`
	Policies []map[string]interface{} `json:"policies"`
	Runs     []run                    `json:"runs"`
}

// run is a write to evaluate a validating policy with, so many times.
type run struct {
	Policy    string                 `json:"policy"`
	Object    map[string]interface{} `json:"object"`
	OldObject map[string]interface{} `json:"oldObject"`
	Namespace *corev1.Namespace      `json:"namespace"`
	Params    map[string]interface{} `json:"params"`
	Times     int                    `json:"times"`
	// Whether to tell what each variable costs, with all that it asks for.
	Parts bool `json:"parts"`
}

type fault struct {
	Version uint   `json:"version"`
	Policy  string `json:"policy"`
	Where   string `json:"where"`
	Error   string `json:"error"`
}

// cost is what a run took: the API server's own units, of which a policy has a budget, and processor time.
type cost struct {
	Policy       string  `json:"policy"`
	Cost         int64   `json:"cost"`
	Budget       int64   `json:"budget"`
	Milliseconds float64 `json:"milliseconds"`
	Decision     string  `json:"decision"`
	Message      string  `json:"message"`
	// The costs of the match conditions, the messages and each variable; -1 is more than an expression may cost.
	Parts map[string]int64 `json:"parts"`
}

// processorTime is what this process has used of it: it does not depend on what else the machine does.
func processorTime() time.Duration {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		panic(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

func main() {
	var asked request
	if err := json.NewDecoder(os.Stdin).Decode(&asked); err != nil {
		panic(err)
	}
	faults := []fault{}
	for _, minor := range asked.Versions {
		for _, policy := range asked.Policies {
			faults = append(faults, compile(minor, policy)...)
		}
	}
	costs := []cost{}
	for _, each := range asked.Runs {
		costs = append(costs, evaluate(each, asked.Policies)...)
	}
	if err := json.NewEncoder(os.Stdout).Encode(map[string]interface{}{"faults": faults, "costs": costs}); err != nil {
		panic(err)
	}
}

// The fields that both kinds of policies have, and those of each.
type policySpec struct {
	Metadata struct {
		Name string `json:"name"`
	} `json:"metadata"`
	Spec struct {
		ParamKind        *admissionv1.ParamKind         `json:"paramKind"`
		FailurePolicy    *admissionv1.FailurePolicyType `json:"failurePolicy"`
		MatchConditions  []admissionv1.MatchCondition   `json:"matchConditions"`
		Variables        []admissionv1.Variable         `json:"variables"`
		Validations      []admissionv1.Validation       `json:"validations"`
		AuditAnnotations []admissionv1.AuditAnnotation  `json:"auditAnnotations"`
		Mutations        []admissionv1.Mutation         `json:"mutations"`
	} `json:"spec"`
}

func read(object map[string]interface{}) policySpec {
	text, err := json.Marshal(object)
	if err != nil {
		panic(err)
	}
	var policy policySpec
	if err := json.Unmarshal(text, &policy); err != nil {
		panic(err)
	}
	return policy
}

// compile checks expressions as the API server does when a policy is written: by the libraries that the version before
// had, so that it can be rolled back (environment.DefaultCompatibilityVersion).
func compile(minor uint, object map[string]interface{}) []fault {
	policy := read(object)
	if len(policy.Spec.Validations)+len(policy.Spec.Mutations) == 0 {
		return nil
	}
	compiler, err := plugincel.NewCompositedCompiler(environment.MustBaseEnvSet(version.MajorMinor(1, minor)))
	if err != nil {
		panic(err)
	}
	found := []fault{}
	tell := func(where string, result plugincel.CompilationResult) {
		if result.Error != nil {
			found = append(found, fault{minor, policy.Metadata.Name, where, result.Error.Error()})
		}
	}
	declared := plugincel.OptionalVariableDeclarations{HasParams: policy.Spec.ParamKind != nil, HasAuthorizer: true}
	for i := range policy.Spec.Variables {
		each := &validating.Variable{Name: policy.Spec.Variables[i].Name, Expression: policy.Spec.Variables[i].Expression}
		tell("variable "+each.Name, compiler.CompileAndStoreVariable(each, declared, environment.NewExpressions))
	}
	for i := range policy.Spec.MatchConditions {
		condition := (*matchconditions.MatchCondition)(&policy.Spec.MatchConditions[i])
		tell("match condition", compiler.CompileCELExpression(condition, declared, environment.NewExpressions))
	}
	for _, each := range policy.Spec.Validations {
		tell("validation", compiler.CompileCELExpression(&validating.ValidationCondition{Expression: each.Expression}, declared, environment.NewExpressions))
		if each.MessageExpression != "" {
			silent := plugincel.OptionalVariableDeclarations{HasParams: declared.HasParams}
			tell("message", compiler.CompileCELExpression(&validating.MessageExpressionCondition{MessageExpression: each.MessageExpression}, silent, environment.NewExpressions))
		}
	}
	for _, each := range policy.Spec.Mutations {
		patching := declared
		patching.HasPatchTypes = true
		tell("mutation", compiler.CompileCELExpression(&patch.JSONPatchCondition{Expression: each.JSONPatch.Expression}, patching, environment.NewExpressions))
	}
	return found
}

// evaluate runs a validating policy as the plugin does: match conditions, validations and messages, each anew.
func evaluate(asked run, policies []map[string]interface{}) []cost {
	for _, object := range policies {
		policy := read(object)
		if policy.Metadata.Name == asked.Policy && len(policy.Spec.Validations) > 0 {
			return []cost{measure(asked, policy)}
		}
	}
	panic("no such policy: " + asked.Policy)
}

func measure(asked run, policy policySpec) cost {
	compiler, err := plugincel.NewCompositedCompiler(environment.MustBaseEnvSet(environment.DefaultCompatibilityVersion()))
	if err != nil {
		panic(err)
	}
	declared := plugincel.OptionalVariableDeclarations{HasParams: policy.Spec.ParamKind != nil, HasAuthorizer: true}
	silent := plugincel.OptionalVariableDeclarations{HasParams: declared.HasParams}
	for _, each := range policy.Spec.Variables {
		variable := &validating.Variable{Name: each.Name, Expression: each.Expression}
		if result := compiler.CompileAndStoreVariable(variable, declared, environment.StoredExpressions); result.Error != nil {
			panic(result.Error)
		}
	}
	var conditions, validations, messages, nothing []plugincel.ExpressionAccessor
	for i := range policy.Spec.MatchConditions {
		conditions = append(conditions, (*matchconditions.MatchCondition)(&policy.Spec.MatchConditions[i]))
	}
	for _, each := range policy.Spec.Validations {
		validations = append(validations, &validating.ValidationCondition{Expression: each.Expression, Message: each.Message, Reason: each.Reason})
		if each.MessageExpression == "" {
			messages = append(messages, nil)
		} else {
			messages = append(messages, &validating.MessageExpressionCondition{MessageExpression: each.MessageExpression})
		}
	}
	filter := func(list []plugincel.ExpressionAccessor, options plugincel.OptionalVariableDeclarations) plugincel.ConditionEvaluator {
		return compiler.CompileCondition(list, options, environment.StoredExpressions)
	}
	matcher := matchconditions.NewMatcher(filter(conditions, declared), policy.Spec.FailurePolicy, "policy", "validate", policy.Metadata.Name)
	judge := filter(validations, declared)
	validator := validating.NewValidator(judge, matcher, filter(nothing, declared), filter(messages, silent), policy.Spec.FailurePolicy, nil)

	kind := schema.GroupVersionKind{Group: "networking.istio.io", Version: "v1", Kind: "ServiceEntry"}
	resource := kind.GroupVersion().WithResource("serviceentries")
	operation := admission.Create
	var old runtime.Object
	if asked.OldObject != nil {
		old, operation = &unstructured.Unstructured{Object: asked.OldObject}, admission.Update
	}
	var params runtime.Object
	if asked.Params != nil {
		params = &unstructured.Unstructured{Object: asked.Params}
	}
	fresh := &unstructured.Unstructured{Object: asked.Object}
	who := &user.DefaultInfo{Name: "alice", Groups: []string{"developers", "system:authenticated"}}
	attributes := admission.NewAttributesRecord(fresh, old, kind, asked.Namespace.Name, fresh.GetName(), resource, "", operation, nil, true, who)
	versioned := &admission.VersionedAttributes{Attributes: attributes, VersionedObject: fresh, VersionedOldObject: old, VersionedKind: kind}

	once := func() validating.ValidateResult {
		return validator.Validate(context.Background(), resource, versioned, params, asked.Namespace, celconfig.RuntimeCELCostBudget, nil)
	}
	result := once()
	// The quickest of some batches: what else the machine does only adds.
	batch := max(asked.Times/20, 1)
	quickest := time.Duration(math.MaxInt64)
	for done := 0; done < asked.Times; done += batch {
		begun := processorTime()
		for i := 0; i < batch; i++ {
			result = once()
		}
		quickest = min(quickest, processorTime()-begun)
	}
	took := cost{Policy: asked.Policy, Budget: celconfig.RuntimeCELCostBudget, Decision: "not matched"}
	took.Milliseconds = float64(quickest.Microseconds()) / 1000 / float64(batch)
	for _, each := range result.Decisions {
		took.Decision = string(each.Action)
		if each.Action != validating.ActionAdmit {
			took.Message = each.Message
			break
		}
	}
	input := plugincel.OptionalVariableBindings{VersionedParams: params}
	asks := plugincel.CreateAdmissionRequest(attributes, resourceOf(resource), kindOf(kind))
	_, left, err := judge.ForInput(context.Background(), versioned, asks, input, plugincel.CreateNamespaceObject(asked.Namespace), celconfig.RuntimeCELCostBudget)
	took.Cost = celconfig.RuntimeCELCostBudget - left
	if err != nil {
		took.Decision, took.Message = "error", fmt.Sprint(err)
	}
	if asked.Parts {
		took.Parts = map[string]int64{}
		single := func(name string, evaluator plugincel.ConditionEvaluator) {
			_, left, err := evaluator.ForInput(context.Background(), versioned, asks, input, plugincel.CreateNamespaceObject(asked.Namespace), celconfig.RuntimeCELCostBudget)
			took.Parts[name] = celconfig.RuntimeCELCostBudget - left
			if err != nil {
				took.Parts[name] = -1
			}
		}
		single("match conditions", filter(conditions, declared))
		single("message", filter(messages, silent))
		for _, each := range policy.Spec.Variables {
			asking := &validating.ValidationCondition{Expression: "[dyn(variables." + each.Name + ")].size() == 1"}
			single(each.Name, filter([]plugincel.ExpressionAccessor{asking}, declared))
		}
	}
	return took
}
