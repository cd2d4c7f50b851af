// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package recipe

import (
	"fmt"
	"reflect"
	"sort"
	"strings"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// natives derives schemas from Kubernetes' own Go types, by their JSON tags
// and the documentation that they carry.
type natives struct {
	types map[string]reflect.Type
	made  map[reflect.Type]schema
}

func newNatives() *natives {
	n := &natives{types: map[string]reflect.Type{}, made: map[reflect.Type]schema{}}
	for prefix, values := range map[string][]any{
		"core": {
			corev1.Affinity{}, corev1.ConfigMapKeySelector{}, corev1.Container{}, corev1.EnvFromSource{},
			corev1.EnvVar{}, corev1.EphemeralVolumeSource{}, corev1.EmptyDirVolumeSource{}, corev1.HostAlias{},
			corev1.LocalObjectReference{}, corev1.ObjectReference{}, corev1.PersistentVolumeClaimSpec{},
			corev1.PersistentVolumeClaimStatus{}, corev1.PodDNSConfig{}, corev1.PodSecurityContext{},
			corev1.PodTemplateSpec{}, corev1.ResourceRequirements{}, corev1.SecretKeySelector{},
			corev1.SecurityContext{}, corev1.Toleration{}, corev1.TopologySpreadConstraint{},
			corev1.TypedLocalObjectReference{}, corev1.Volume{}, corev1.VolumeMount{},
		},
		"meta":       {metav1.Condition{}, metav1.LabelSelector{}, metav1.GroupVersionKind{}},
		"rbac":       {rbacv1.PolicyRule{}},
		"networking": {networkingv1.IngressSpec{}, networkingv1.NetworkPolicySpec{}},
	} {
		for _, value := range values {
			t := reflect.TypeOf(value)
			n.types[prefix+"."+t.Name()] = t
		}
	}
	// What serializes itself as something else than its fields.
	n.made[reflect.TypeOf(resource.Quantity{})] = basic("quantity")
	n.made[reflect.TypeOf(intstr.IntOrString{})] = basic("intOrString")
	n.made[reflect.TypeOf(metav1.Time{})] = basic("time")
	n.made[reflect.TypeOf(metav1.MicroTime{})] = basic("time")
	n.made[reflect.TypeOf(metav1.Duration{})] = basic("string")
	n.made[reflect.TypeOf(metav1.ObjectMeta{})] = schema{"type": "object", "x-kubernetes-preserve-unknown-fields": true}
	n.made[reflect.TypeOf(metav1.FieldsV1{})] = basic("object")
	return n
}

func (n *natives) named(name string) (schema, error) {
	t, ok := n.types[name]
	if !ok {
		return nil, fmt.Errorf("unknown Kubernetes type %q", name)
	}
	return n.of(t), nil
}

func (n *natives) of(t reflect.Type) schema {
	if done, ok := n.made[t]; ok {
		return done
	}
	switch t.Kind() {
	case reflect.Pointer:
		return n.of(t.Elem())
	case reflect.Bool:
		return basic("bool")
	case reflect.Int32, reflect.Int64:
		return basic(t.Kind().String())
	case reflect.Int, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return basic("int")
	case reflect.Float32, reflect.Float64:
		return basic("number")
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 {
			return schema{"type": "string", "format": "byte"}
		}
		return schema{"type": "array", "items": n.of(t.Elem())}
	case reflect.Map:
		return schema{"type": "object", "additionalProperties": n.of(t.Elem())}
	case reflect.Struct:
		out := n.structure(t)
		n.made[t] = out
		return out
	default:
		return basic("string")
	}
}

func (n *natives) structure(t reflect.Type) schema {
	properties := map[string]any{}
	var required []string
	n.fields(t, properties, &required)
	out := schema{"type": "object", "properties": properties}
	if len(required) > 0 {
		sort.Strings(required)
		out["required"] = required
	}
	return out
}

// fields adds the fields of t, and of what it embeds inline, to properties.
func (n *natives) fields(t reflect.Type, properties map[string]any, required *[]string) {
	docs := docsOf(t)
	for i := range t.NumField() {
		field := t.Field(i)
		name, options, _ := strings.Cut(field.Tag.Get("json"), ",")
		if !field.IsExported() || name == "-" {
			continue
		}
		if name == "" {
			if field.Anonymous {
				n.fields(field.Type, properties, required)
			}
			continue
		}
		property := schema{}
		for key, value := range n.of(field.Type) {
			property[key] = value
		}
		if doc := docs[name]; doc != "" {
			property["description"] = doc
		}
		properties[name] = property
		if !strings.Contains(options, "omitempty") && !strings.Contains(options, "omitzero") {
			*required = append(*required, name)
		}
	}
}

// docsOf returns the documentation of a Kubernetes type's fields.
func docsOf(t reflect.Type) map[string]string {
	documented, ok := reflect.New(t).Interface().(interface{ SwaggerDoc() map[string]string })
	if !ok {
		return nil
	}
	return documented.SwaggerDoc()
}
