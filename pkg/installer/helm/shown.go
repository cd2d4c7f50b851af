// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package helm

import (
	"bytes"
	"context"
	"fmt"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/cluster"
	"ksit.io/ksit/pkg/installer"
	"ksit.io/ksit/pkg/preview"
)

// Manifest implements installer.Historian. What is installed is the newest
// revision that is deployed, hooks included.
func (i *Installer) Manifest(ctx context.Context, conn *cluster.Connection, query installer.Query) ([]v1alpha1.ReleaseManifest, error) {
	asked := askedValues(query.Request, query.SourcesUnknown)
	var out []v1alpha1.ReleaseManifest
	for _, recorded := range query.Request.Recorded {
		if query.Release != "" && query.Release != recorded.Name {
			continue
		}
		name := releaseName{Namespace: recorded.Namespace, Name: recorded.Name}
		shown, err := i.shown(ctx, conn, name, query.Revision, asked)
		if err != nil {
			return nil, classify(ctx, err, fmt.Sprintf("release %s in namespace %s", name.Name, name.Namespace), nil)
		}
		out = append(out, shown)
	}
	return out, nil
}

// shown reads a revision of a release, the one that is installed where number is
// 0, and takes out what is secret.
func (i *Installer) shown(ctx context.Context, conn *cluster.Connection, name releaseName, number int64, asked map[string]any) (v1alpha1.ReleaseManifest, error) {
	out := v1alpha1.ReleaseManifest{Name: name.Name, Namespace: name.Namespace}
	revisions, err := listRevisions(ctx, conn, name.Namespace, releaseQuery(name.Name))
	if err != nil {
		return out, err
	}
	wanted, found := standingRevision(revisions)
	if number != 0 {
		found = false
		for _, r := range revisions {
			if int64(r.number) == number {
				wanted, found = r, true
			}
		}
		if !found {
			return out, installer.Terminalf(installer.ReasonReleaseMissing, "the target keeps no revision %d of it", number)
		}
	}
	missing := installer.Errorf(installer.ReasonReleaseMissing, "it is not there any more: somebody removed it")
	if !found {
		return out, missing
	}
	stored, err := readRevision(ctx, conn, name.Namespace, wanted.secret)
	if apierrors.IsNotFound(err) {
		return out, missing
	}
	if err != nil {
		return out, err
	}
	out.Revision = int64(wanted.number)
	out.Chart, out.Version = shorten(stored.chartName(), 253), shorten(stored.chartVersion(), 128)
	marked := suspect(stored.Config, asked)
	out.Values = show(marked)
	hide := hider(asked, marked)
	var text strings.Builder
	for _, manifest := range stored.manifests() {
		more, err := concealManifest(&text, manifest, hide)
		if err != nil {
			return out, err
		}
		out.Truncated = out.Truncated || more
	}
	out.Manifest = text.String()
	return out, nil
}

// manifests are the objects, and then the hooks.
func (s *storedRevision) manifests() []string {
	all := []string{s.Manifest}
	for _, hook := range s.Hooks {
		all = append(all, hook.Manifest)
	}
	return all
}

// concealManifest writes the documents of a manifest without what is secret, as
// many as fit, and tells whether there are more.
func concealManifest(out *strings.Builder, manifest string, hide func(string) string) (more bool, err error) {
	err = eachDocument(strings.NewReader(manifest), func(document []byte) error {
		var obj unstructured.Unstructured
		text := "# A document that is no object is not shown.\n"
		if yaml.Unmarshal(document, &obj.Object) == nil && obj.Object != nil {
			written, err := yaml.Marshal(concealItems(&obj, hide).Object)
			if err != nil {
				return fmt.Errorf("writing an object of the manifest: %w", err)
			}
			text = string(sourceComment(bytes.Clone(document))) + hide(string(written))
		}
		if out.Len()+len(text)+len("---\n") > v1alpha1.MaxManifest {
			more = true
			return nil
		}
		out.WriteString("---\n")
		out.WriteString(text)
		return nil
	})
	return more, err
}

// concealItems takes out what is secret in an object, or in those of a list.
func concealItems(obj *unstructured.Unstructured, hide func(string) string) *unstructured.Unstructured {
	items, ok := obj.Object["items"].([]any)
	if !ok || !strings.HasSuffix(obj.GetKind(), "List") {
		return preview.Conceal(obj, hide)
	}
	shown := make([]any, 0, len(items))
	for _, item := range items {
		if fields, ok := item.(map[string]any); ok {
			shown = append(shown, concealItems(&unstructured.Unstructured{Object: fields}, hide).Object)
		}
	}
	return &unstructured.Unstructured{Object: map[string]any{"apiVersion": obj.GetAPIVersion(), "kind": obj.GetKind(), "items": shown}}
}

// askedValues are the values that a request asks for, with what comes from
// Secrets marked. Where they cannot be told, everything is: see suspect.
func askedValues(req installer.Request, unknown bool) map[string]any {
	if unknown || req.AutoInstall == nil || req.AutoInstall.HelmConfig == nil {
		return nil
	}
	marked, err := chartValues(req)
	if err != nil {
		return nil
	}
	return marked
}

// suspect marks in the values of a revision what may be secret: what comes from
// a Secret by now, and what stands at a key that tells that it is secret, unless
// it stands in plain in what is asked for by now. A release does not say where its
// values came from, and an older one may have had other sources. Without asked,
// all of it is marked.
func suspect(values, asked map[string]any) map[string]any {
	if asked == nil {
		all, _ := conceal(values).(map[string]any)
		return all
	}
	all, _ := suspectAt(concealAlike(values, asked), asked, false).(map[string]any)
	return all
}

func suspectAt(value, asked any, secret bool) any {
	switch v := value.(type) {
	case map[string]any:
		known, _ := asked.(map[string]any)
		out := make(map[string]any, len(v))
		for key, child := range v {
			out[key] = suspectAt(child, known[key], secret || secretKey.MatchString(key))
		}
		return out
	case []any:
		known, _ := asked.([]any)
		out := make([]any, len(v))
		for n, child := range v {
			var same any
			if n < len(known) {
				same = known[n]
			}
			out[n] = suspectAt(child, same, secret)
		}
		return out
	case confidential:
		return v
	default:
		if secret && v != nil && fmt.Sprint(v) != fmt.Sprint(asked) {
			return confidential{v}
		}
		return v
	}
}

// hider takes the values that are marked as confidential out of a text.
func hider(marked ...map[string]any) func(string) string {
	trees := map[string]any{}
	for n, values := range marked {
		trees[fmt.Sprint(n)] = mapLeaves(values, func(leaf any) any {
			if c, ok := leaf.(confidential); ok {
				return readable(c)
			}
			return nil
		})
	}
	r := newRedactor(trees)
	return func(text string) string {
		text = r.replacer.Replace(text)
		if len(r.words) > 0 {
			text = aWord.ReplaceAllStringFunc(text, func(word string) string {
				if r.words[word] {
					return redacted
				}
				return word
			})
		}
		return strings.ReplaceAll(text, redacted, preview.Redacted)
	}
}

// readable makes a text of a number, which stands in an object as one.
func readable(c confidential) confidential {
	switch v := c.value.(type) {
	case string, bool, nil:
		return c
	default:
		return confidential{fmt.Sprint(v)}
	}
}
