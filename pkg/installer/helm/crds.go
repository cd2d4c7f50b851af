// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package helm

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"golang.org/x/sync/errgroup"
	"helm.sh/helm/v3/pkg/chart"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/yaml"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/cluster"
	"ksit.io/ksit/pkg/installer"
	"ksit.io/ksit/pkg/safeyaml"
)

const (
	crdGroup = "apiextensions.k8s.io"
	crdKind  = "CustomResourceDefinition"
	crdPath  = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/"
	// crdTimeout bounds the wait for CRDs to be established and served.
	crdTimeout  = 60 * time.Second
	crdParallel = 4

	annotationReleaseName      = "meta.helm.sh/release-name"
	annotationReleaseNamespace = "meta.helm.sh/release-namespace"
	labelManagedBy             = "app.kubernetes.io/managed-by"
)

var crdResource = schema.GroupVersionResource{Group: crdGroup, Version: "v1", Resource: "customresourcedefinitions"}

// crd is a CustomResourceDefinition of a chart.
type crd struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Metadata   struct {
		Name string `json:"name"`
	} `json:"metadata"`
	Spec struct {
		Group string `json:"group"`
		Names struct {
			Kind string `json:"kind"`
		} `json:"names"`
		Versions []struct {
			Name   string `json:"name"`
			Served bool   `json:"served"`
		} `json:"versions"`
	} `json:"spec"`
	// raw is the whole of it, as JSON.
	raw []byte
	// templated is true for one out of the chart's templates, which belongs to
	// the release; one of crds/ does not.
	templated bool
	// left is true once it was found on the target and left as it is: it need
	// not serve what the chart's would.
	left bool
}

// parseCRD reads one document; ok is false for what is no CRD.
func parseCRD(document []byte) (c crd, ok bool, err error) {
	if err := safeyaml.Bounded(document); err != nil {
		return crd{}, false, err
	}
	raw, err := yaml.YAMLToJSON(document)
	if err != nil {
		return crd{}, false, errors.New("not valid YAML")
	}
	if bytes.Equal(raw, []byte("null")) {
		return crd{}, false, nil
	}
	if err := json.Unmarshal(raw, &c); err != nil {
		return crd{}, false, errors.New("not a CustomResourceDefinition")
	}
	if c.Kind != crdKind {
		return crd{}, false, nil
	}
	if c.APIVersion != crdGroup+"/v1" {
		return crd{}, false, fmt.Errorf("%s is of %s, which Kubernetes serves no more", shorten(c.Metadata.Name, 128), shorten(c.APIVersion, 64))
	}
	if c.Metadata.Name == "" || c.Spec.Group == "" || c.Spec.Names.Kind == "" {
		return crd{}, false, errors.New("it has no name, group or kind")
	}
	c.raw = raw
	return c, true, nil
}

// chartCRDs returns the CRDs of crds/, those of subcharts included.
func chartCRDs(chrt *chart.Chart) ([]crd, error) {
	var crds []crd
	seen := map[string]bool{}
	for _, file := range chrt.CRDObjects() {
		reader := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(file.File.Data)))
		for {
			document, err := reader.Read()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				return nil, installer.Terminalf(installer.ReasonChartInvalid, "the CRDs in %s cannot be read", file.Filename)
			}
			c, ok, err := parseCRD(document)
			if err != nil {
				return nil, installer.Terminalf(installer.ReasonChartInvalid, "the CRD in %s: %w", file.Filename, err)
			}
			if ok && !seen[c.Metadata.Name] {
				seen[c.Metadata.Name] = true
				crds = append(crds, c)
			}
		}
	}
	return crds, nil
}

// versions returns the group, kind and version of everything that a CRD serves,
// as far as the chart knows.
func (c *crd) versions() []schema.GroupVersionKind {
	if c.left {
		return nil
	}
	var out []schema.GroupVersionKind
	for _, v := range c.Spec.Versions {
		if v.Served {
			out = append(out, schema.GroupVersionKind{Group: c.Spec.Group, Version: v.Name, Kind: c.Spec.Names.Kind})
		}
	}
	return out
}

// releaseName names a release on a target.
type releaseName = types.NamespacedName

// applyCRDs applies CRDs and returns when all of them are established and
// served, and the RESTMapper of the connection knows them.
func applyCRDs(ctx context.Context, conn *cluster.Connection, crds []crd, policy v1alpha1.CRDPolicy, rel releaseName) error {
	if len(crds) == 0 {
		return nil
	}
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(crdParallel)
	for i := range crds {
		group.Go(func() error { return applyCRD(groupCtx, conn, &crds[i], policy, rel) })
	}
	if err := group.Wait(); err != nil {
		if ctx.Err() != nil {
			return interrupted(ctx, "applying the CRDs")
		}
		return err
	}
	return waitForCRDs(ctx, conn, crds)
}

func applyCRD(ctx context.Context, conn *cluster.Connection, c *crd, policy v1alpha1.CRDPolicy, rel releaseName) error {
	name := c.Metadata.Name
	existing, err := conn.Metadata().Resource(crdResource).Get(ctx, name, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		existing = nil
	case err != nil:
		return fmt.Errorf("reading the CRD %s: %w", name, err)
	}
	body := c.raw
	if c.templated {
		if existing != nil {
			if err := mayTakeCRD(ctx, conn, existing, rel); err != nil {
				return err
			}
		}
		if body, err = ownedByRelease(c.raw, rel); err != nil {
			return err
		}
	} else if existing != nil && policy == v1alpha1.CRDPolicyCreate {
		c.left = true
		return nil
	}
	err = restClient(conn).Patch(types.ApplyPatchType).AbsPath(crdPath+name).
		SetHeader("Accept", runtime.ContentTypeJSON).
		Param("fieldManager", FieldManager).Param("force", "true").
		Body(body).Do(ctx).Error()
	if err != nil {
		return fmt.Errorf("applying the CRD %s: %w", name, err)
	}
	return nil
}

// mayTakeCRD refuses a CRD that belongs to another release. One whose release is
// gone, or that belongs to none, is taken: uninstalling leaves CRDs behind.
func mayTakeCRD(ctx context.Context, conn *cluster.Connection, existing *metav1.PartialObjectMetadata, rel releaseName) error {
	other := releaseName{
		Namespace: existing.Annotations[annotationReleaseNamespace],
		Name:      existing.Annotations[annotationReleaseName],
	}
	if other.Name == "" || other.Namespace == "" || other == rel {
		return nil
	}
	revisions, err := listRevisions(ctx, conn, other.Namespace, releaseQuery(other.Name))
	if err != nil {
		return err
	}
	if len(revisions) == 0 {
		return nil
	}
	return installer.Terminalf(installer.ReasonReleaseConflict, "the CRD %s belongs to the release %s in namespace %s",
		existing.Name, shorten(other.Name, 64), shorten(other.Namespace, 64))
}

// ownedByRelease adds what Helm marks the objects of a release with.
func ownedByRelease(raw []byte, rel releaseName) ([]byte, error) {
	var object map[string]any
	if err := json.Unmarshal(raw, &object); err != nil {
		return nil, err
	}
	metadata, _ := object["metadata"].(map[string]any)
	for field, add := range map[string]map[string]string{
		"labels":      {labelManagedBy: "Helm"},
		"annotations": {annotationReleaseName: rel.Name, annotationReleaseNamespace: rel.Namespace},
	} {
		entries, ok := metadata[field].(map[string]any)
		if !ok {
			entries = map[string]any{}
		}
		for k, v := range add {
			entries[k] = v
		}
		metadata[field] = entries
	}
	return json.Marshal(object)
}

// restClient is for requests whose answers are not decoded into objects: those
// of CRDs can take megabytes each.
func restClient(conn *cluster.Connection) rest.Interface {
	return conn.Kubernetes().Discovery().RESTClient()
}

func waitForCRDs(ctx context.Context, conn *cluster.Connection, crds []crd) error {
	ctx, cancel := context.WithTimeoutCause(ctx, crdTimeout, errCRDTimeout)
	defer cancel()
	served := map[schema.GroupVersion]map[string]bool{}
	for i := range crds {
		if err := poll(ctx, func() (bool, string, error) { return established(ctx, conn, crds[i].Metadata.Name) }); err != nil {
			return err
		}
		for _, gvk := range crds[i].versions() {
			gv := gvk.GroupVersion()
			if served[gv] == nil {
				served[gv] = map[string]bool{}
			}
			served[gv][gvk.Kind] = true
		}
	}
	for gv, kinds := range served {
		if err := poll(ctx, func() (bool, string, error) { return isServed(ctx, conn, gv, kinds) }); err != nil {
			return err
		}
	}
	mapper := conn.RESTMapper()
	for gv, kinds := range served {
		for kind := range kinds {
			_, err := mapper.RESTMapping(schema.GroupKind{Group: gv.Group, Kind: kind}, gv.Version)
			if meta.IsNoMatchError(err) {
				// A reset makes everybody on this connection read discovery
				// again, so it is only done when something is missing.
				mapper.Reset()
				return nil
			}
		}
	}
	return nil
}

var errCRDTimeout = fmt.Errorf("not done after %s", crdTimeout)

// poll calls done until it returns true, an error, or ctx ends. Its text says
// what is still missing.
func poll(ctx context.Context, done func() (bool, string, error)) error {
	for interval := 10 * time.Millisecond; ; interval = min(2*interval, 500*time.Millisecond) {
		ok, missing, err := done()
		switch {
		case ctx.Err() != nil:
			if errors.Is(context.Cause(ctx), errCRDTimeout) {
				return installer.Errorf(installer.ReasonCRDNotEstablished, "%s after %s", missing, crdTimeout)
			}
			return interrupted(ctx, "waiting for the CRDs")
		case err != nil:
			return err
		case ok:
			return nil
		}
		select {
		case <-ctx.Done():
		case <-time.After(interval):
		}
	}
}

// established reads the conditions of a CRD.
func established(ctx context.Context, conn *cluster.Connection, name string) (bool, string, error) {
	missing := fmt.Sprintf("the CRD %s is not established", name)
	raw, err := restClient(conn).Get().AbsPath(crdPath+name).SetHeader("Accept", runtime.ContentTypeJSON).Do(ctx).Raw()
	if err != nil {
		return false, missing, fmt.Errorf("reading the CRD %s: %w", name, err)
	}
	var state struct {
		Status struct {
			Conditions []metav1.Condition `json:"conditions"`
		} `json:"status"`
	}
	if err := json.Unmarshal(raw, &state); err != nil {
		return false, missing, fmt.Errorf("reading the CRD %s: %w", name, err)
	}
	for _, c := range state.Status.Conditions {
		switch {
		case c.Type == "NamesAccepted" && c.Status == metav1.ConditionFalse:
			return false, missing, installer.Errorf(installer.ReasonCRDNotEstablished, "the CRD %s: its names are not accepted: %s", name, shorten(c.Message, 300))
		case c.Type == "Established" && c.Status == metav1.ConditionTrue:
			return true, "", nil
		}
	}
	return false, missing, nil
}

// isServed reads discovery of one group and version.
func isServed(ctx context.Context, conn *cluster.Connection, gv schema.GroupVersion, kinds map[string]bool) (bool, string, error) {
	missing := fmt.Sprintf("the API %s is not served", gv)
	raw, err := restClient(conn).Get().AbsPath("/apis", gv.Group, gv.Version).SetHeader("Accept", runtime.ContentTypeJSON).Do(ctx).Raw()
	if apierrors.IsNotFound(err) || apierrors.IsServiceUnavailable(err) {
		return false, missing, nil
	}
	if err != nil {
		return false, missing, fmt.Errorf("reading discovery of %s: %w", gv, err)
	}
	var list metav1.APIResourceList
	if err := json.Unmarshal(raw, &list); err != nil {
		return false, missing, fmt.Errorf("reading discovery of %s: %w", gv, err)
	}
	found := map[string]bool{}
	for _, r := range list.APIResources {
		found[r.Kind] = true
	}
	for kind := range kinds {
		if !found[kind] {
			return false, missing, nil
		}
	}
	return true, "", nil
}
