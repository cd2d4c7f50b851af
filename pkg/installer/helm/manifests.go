// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package helm

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"

	"github.com/fluxcd/cli-utils/pkg/object"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"

	"ksit.io/ksit/pkg/installer"
	"ksit.io/ksit/pkg/rewrite"
	"ksit.io/ksit/pkg/safeyaml"
)

var (
	mentionsCRD   = regexp.MustCompile(`kind\W+` + crdKind)
	mentionsImage = regexp.MustCompile(`image|reference`)
)

// eachDocument calls each with the documents of a manifest, empty ones left
// out, and fails at one that its aliases make too large to be read. The bytes are only good until each returns.
func eachDocument(reader io.Reader, each func(document []byte) error) error {
	documents := utilyaml.NewYAMLReader(bufio.NewReader(reader))
	for {
		document, err := documents.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("splitting the manifest: %w", err)
		}
		if isEmptyDocument(document) {
			continue
		}
		if err := safeyaml.Bounded(document); err != nil {
			return fmt.Errorf("a document of the manifest: %w", err)
		}
		if err := each(document); err != nil {
			return err
		}
	}
}

func isEmptyDocument(document []byte) bool {
	for line := range bytes.Lines(document) {
		line = bytes.TrimSpace(line)
		if len(line) > 0 && line[0] != '#' && !bytes.Equal(line, []byte("---")) {
			return false
		}
	}
	return true
}

// templatedCRDs returns the CRDs of a rendered manifest.
func templatedCRDs(manifest []byte) ([]crd, error) {
	if !mentionsCRD.Match(manifest) {
		return nil, nil
	}
	var crds []crd
	err := eachDocument(bytes.NewReader(manifest), func(document []byte) error {
		if !mentionsCRD.Match(document) {
			return nil
		}
		c, ok, err := parseCRD(document)
		if err != nil {
			return installer.Terminalf(installer.ReasonRenderFailed, "a CRD of the templates: %w", err)
		}
		if ok {
			c.templated = true
			crds = append(crds, c)
		}
		return nil
	})
	return crds, err
}

// rewriteImages gives the images of a manifest the places that the table has
// for them. Documents that it does not change stay as they are, comments and
// all. A nil table changes nothing.
func rewriteImages(table *rewrite.Table, manifest []byte) ([]byte, error) {
	if table == nil || !mentionsImage.Match(manifest) {
		return manifest, nil
	}
	var out bytes.Buffer
	changed := false
	err := eachDocument(bytes.NewReader(manifest), func(document []byte) error {
		written := document
		if mentionsImage.Match(document) {
			var u unstructured.Unstructured
			// What is no object is left for Helm to complain about.
			if yaml.Unmarshal(document, &u.Object) == nil && table.Images(&u) {
				encoded, err := yaml.Marshal(u.Object)
				if err != nil {
					return installer.Terminalf(installer.ReasonRenderFailed, "rewriting the images of %s %s failed", u.GetKind(), u.GetName())
				}
				written = append(sourceComment(document), encoded...)
				changed = true
			}
		}
		out.WriteString("---\n")
		out.Write(bytes.TrimPrefix(written, []byte("---\n")))
		if !bytes.HasSuffix(written, []byte("\n")) {
			out.WriteByte('\n')
		}
		return nil
	})
	if err != nil || !changed {
		return manifest, err
	}
	return out.Bytes(), nil
}

// sourceComment returns the line with which Helm says what template a document
// is from.
func sourceComment(document []byte) []byte {
	for line := range bytes.Lines(document) {
		if bytes.HasPrefix(line, []byte("# Source: ")) {
			return bytes.Clone(line)
		}
		if len(bytes.TrimSpace(line)) > 0 && !bytes.HasPrefix(line, []byte("---")) {
			break
		}
	}
	return nil
}

// head is what identifies an object in a manifest.
type head struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Metadata   struct {
		Name      string `json:"name"`
		Namespace string `json:"namespace"`
	} `json:"metadata"`
}

func (h head) gvk() schema.GroupVersionKind {
	return schema.FromAPIVersionAndKind(h.APIVersion, h.Kind)
}

// manifestObjects names the objects of a manifest. Objects of kinds that the
// mapper does not know count as namespaced, which most are.
func manifestObjects(manifest, namespace string, mapper meta.RESTMapper) (object.ObjMetadataSet, error) {
	var ids object.ObjMetadataSet
	err := eachDocument(strings.NewReader(manifest), func(document []byte) error {
		var h head
		if err := yaml.Unmarshal(document, &h); err != nil || h.Kind == "" {
			return nil
		}
		gvk := h.gvk()
		namespace, err := namespaceOf(gvk, h.Metadata.Namespace, namespace, mapper)
		if err != nil {
			return err
		}
		id := object.ObjMetadata{GroupKind: gvk.GroupKind(), Namespace: namespace, Name: h.Metadata.Name}
		ids = append(ids, id)
		return nil
	})
	return ids, err
}

// namespaceOf returns where an object is, given what it says itself and where
// its release is.
func namespaceOf(gvk schema.GroupVersionKind, own, release string, mapper meta.RESTMapper) (string, error) {
	mapping, err := mapper.RESTMapping(gvk.GroupKind(), gvk.Version)
	switch {
	case err == nil && mapping.Scope.Name() == meta.RESTScopeNameRoot:
		return "", nil
	case err != nil && !meta.IsNoMatchError(err):
		return "", fmt.Errorf("looking up the kind %s: %w", gvk.GroupKind(), err)
	case own == "":
		return release, nil
	default:
		return own, nil
	}
}

// countObjects counts the objects of a manifest without decoding them.
func countObjects(manifest string) int32 {
	var n int32
	_ = eachDocument(strings.NewReader(manifest), func([]byte) error {
		n++
		return nil
	})
	return n
}

// served returns a manifest without the objects of kinds that the target does
// not serve: their CRD is gone, and they with it. A group that does not answer
// at the moment is an error, since its objects may well be there.
func (c *kubeClient) served(reader io.Reader) (io.Reader, error) {
	var out bytes.Buffer
	gone := map[schema.GroupVersionKind]bool{}
	err := eachDocument(reader, func(document []byte) error {
		var h head
		if err := yaml.Unmarshal(document, &h); err != nil {
			return errors.New("the manifest of the release is not valid YAML")
		}
		gvk := h.gvk()
		if _, known := gone[gvk]; !known {
			missing, err := c.isGone(gvk)
			if err != nil {
				return err
			}
			gone[gvk] = missing
		}
		if !gone[gvk] {
			out.WriteString("---\n")
			out.Write(document)
			out.WriteByte('\n')
		}
		return nil
	})
	return &out, err
}

// isGone asks the target itself: what is in memory may be old.
func (c *kubeClient) isGone(gvk schema.GroupVersionKind) (bool, error) {
	_, err := c.conn.RESTMapper().RESTMapping(gvk.GroupKind(), gvk.Version)
	if !meta.IsNoMatchError(err) {
		return false, err
	}
	path := []string{"/apis", gvk.Group, gvk.Version}
	if gvk.Group == "" {
		path = []string{"/api", gvk.Version}
	}
	raw, err := restClient(c.conn).Get().AbsPath(path...).SetHeader("Accept", runtime.ContentTypeJSON).Do(c.ctx).Raw()
	switch {
	case apierrors.IsNotFound(err):
		return true, nil
	case err != nil:
		return false, fmt.Errorf("reading discovery of %s: %w", gvk.GroupVersion(), err)
	}
	var list metav1.APIResourceList
	if err := json.Unmarshal(raw, &list); err != nil {
		return false, fmt.Errorf("reading discovery of %s: %w", gvk.GroupVersion(), err)
	}
	for _, r := range list.APIResources {
		if r.Kind == gvk.Kind {
			return false, nil
		}
	}
	return true, nil
}
