package main

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

func resourceOf(resource schema.GroupVersionResource) metav1.GroupVersionResource {
	return metav1.GroupVersionResource(resource)
}

func kindOf(kind schema.GroupVersionKind) metav1.GroupVersionKind {
	return metav1.GroupVersionKind(kind)
}
