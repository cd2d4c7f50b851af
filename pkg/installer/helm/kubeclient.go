// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package helm

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/fluxcd/cli-utils/pkg/object"
	"go.opentelemetry.io/otel/attribute"
	"helm.sh/helm/v3/pkg/kube"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/resource"

	"ksit.io/ksit/pkg/cluster"
	"ksit.io/ksit/pkg/health"
	"ksit.io/ksit/pkg/installer"
	"ksit.io/ksit/pkg/tracing"
)

// kubeClient is Helm's client of a target for one operation, with other waits,
// and with the CRDs kept from it: see doc.go.
//
// It keeps the first error that has a reason, because Helm turns many errors
// into text.
type kubeClient struct {
	*kube.Client
	ctx     context.Context
	conn    *cluster.Connection
	release releaseName
	// tolerant has Build leave out the objects of kinds that the target does
	// not serve any more, which cannot exist.
	tolerant bool
	// goingBack is true in a rollback.
	goingBack bool
	// leftovers are what revisions that failed may have left behind.
	leftovers kube.ResourceList
	// foreign are the objects that were not deleted, as they are not the
	// release's any more.
	foreign kube.ResourceList
	// beforeWait, if set, is called ahead of every wait.
	beforeWait func()
	// progress, if set, is told line by line what is done.
	progress func(string)
	failure  error
}

var (
	_ kube.Interface                    = (*kubeClient)(nil)
	_ kube.InterfaceExt                 = (*kubeClient)(nil)
	_ kube.InterfaceDeletionPropagation = (*kubeClient)(nil)
	_ kube.InterfaceLogs                = (*kubeClient)(nil)
)

func newKubeClient(ctx context.Context, conn *cluster.Connection, getter genericclioptions.RESTClientGetter, release releaseName, log func(string, ...any)) *kubeClient {
	client := kube.New(getter)
	client.Namespace = release.Namespace
	client.Log = log
	return &kubeClient{Client: client, ctx: ctx, conn: conn, release: release}
}

func (c *kubeClient) waiting() {
	if c.beforeWait != nil {
		c.beforeWait()
	}
}

func (c *kubeClient) tell(format string, args ...any) {
	if c.progress != nil {
		c.progress(fmt.Sprintf(format, args...))
	}
}

// step begins a step of the operation in its trace. The requests that Helm makes
// in it are those of the operation: it gives them no context.
func (c *kubeClient) step(name string, objects int) func(error) {
	_, done := installer.Step(c.ctx, name, attribute.Int("ksit.objects", objects))
	return done
}

func (c *kubeClient) keep(err error) error {
	if err != nil && c.failure == nil {
		c.failure = err
	}
	return err
}

// IsReachable asks nothing: the target was just read from.
func (c *kubeClient) IsReachable() error { return nil }

// Build returns the objects of a manifest, without its CRDs: those of a release
// are applied before, and stay. Those of a hook, which alone Helm asks to be
// validated, are the hook's affair.
func (c *kubeClient) Build(reader io.Reader, hook bool) (kube.ResourceList, error) {
	if c.tolerant {
		served, err := c.served(reader)
		if err != nil {
			return nil, c.keep(err)
		}
		reader = served
	}
	resources, err := c.Client.Build(reader, false)
	if err != nil {
		return nil, c.keep(err)
	}
	if hook {
		return resources, nil
	}
	return withoutCRDs(resources), nil
}

// buildServed returns the objects of a manifest whose kinds the target serves,
// without its CRDs.
func (c *kubeClient) buildServed(manifest string) (kube.ResourceList, error) {
	served, err := c.served(strings.NewReader(manifest))
	if err != nil {
		return nil, err
	}
	resources, err := c.Client.Build(served, false)
	return withoutCRDs(resources), err
}

func withoutCRDs(resources kube.ResourceList) kube.ResourceList {
	return resources.Filter(func(info *resource.Info) bool { return !isCRD(info) })
}

func isCRD(info *resource.Info) bool {
	gvk := info.Mapping.GroupVersionKind
	return gvk.Group == crdGroup && gvk.Kind == crdKind
}

// Create creates objects. A hook that an operation left which was cut short makes
// room for its successor.
func (c *kubeClient) Create(resources kube.ResourceList) (result *kube.Result, err error) {
	done := c.step("helm create", len(resources))
	defer func() { done(err) }()
	result, err = c.Client.Create(resources)
	if isLeftoverHook(resources, err) {
		if err := c.removeLeftoverHooks(resources); err != nil {
			return result, c.keep(err)
		}
		result, err = c.Client.Create(resources)
	}
	if err == nil {
		c.tell("objects created: %d", len(resources))
	}
	return result, c.keep(err)
}

// Update brings objects from one release to another.
func (c *kubeClient) Update(original, target kube.ResourceList, force bool) (result *kube.Result, err error) {
	done := c.step("helm apply", len(target))
	defer func() { done(err) }()
	original, err = c.between(original, target)
	if err != nil {
		return &kube.Result{}, c.keep(err)
	}
	result, err = c.Client.Update(original, target, force)
	if err == nil {
		c.tell("objects applied: %d, of which %d created and %d updated; %d deleted", len(target), len(result.Created), len(result.Updated), len(result.Deleted))
	}
	return result, c.keep(err)
}

// DeleteWithPropagationPolicy deletes objects, those that are the release's.
func (c *kubeClient) DeleteWithPropagationPolicy(resources kube.ResourceList, policy metav1.DeletionPropagation) (*kube.Result, []error) {
	done := c.step("helm delete", len(resources))
	defer func() { done(c.failure) }()
	mine, err := ours(c.ctx, c.conn, c.release, resources)
	if err != nil {
		return &kube.Result{}, []error{c.keep(err)}
	}
	c.foreign = resources.Difference(mine)
	if len(mine) == 0 {
		return &kube.Result{}, nil
	}
	result, errs := c.Client.DeleteWithPropagationPolicy(mine, policy)
	_ = c.keep(errors.Join(errs...))
	return result, errs
}

// waited are the kinds that `helm install --wait` waits for. What a custom
// resource becomes may depend on hooks that come after: it is for probes.
var waited = map[string]bool{
	"Pod": true, "Service": true, "PersistentVolumeClaim": true, "ReplicationController": true,
	"apps/Deployment": true, "apps/StatefulSet": true, "apps/DaemonSet": true, "apps/ReplicaSet": true,
}

// Wait returns when the objects are ready, or with the end of the operation.
func (c *kubeClient) Wait(resources kube.ResourceList, _ time.Duration) error {
	var ids object.ObjMetadataSet
	for _, info := range resources {
		gk := info.Mapping.GroupVersionKind.GroupKind()
		kind := gk.Kind
		if gk.Group != "" {
			kind = gk.Group + "/" + gk.Kind
		}
		if waited[kind] && !isPaused(info) {
			ids = append(ids, objMetadata(info))
		}
	}
	c.waiting()
	ctx, done := installer.Step(c.ctx, "helm wait", attribute.Int("ksit.objects", len(ids)))
	err := health.Wait(tracing.Quiet(ctx), c.conn, ids, health.WaitOptions{OnProgress: c.progress})
	done(err)
	if err == nil {
		if len(ids) > 0 {
			c.tell("objects ready: %d", len(ids))
		}
		return nil
	}
	if c.ctx.Err() != nil && !errors.Is(context.Cause(c.ctx), errTimeout) {
		return c.keep(installer.Errorf(installer.ReasonCanceled, "waiting for its objects was interrupted: %w", context.Canceled))
	}
	return c.keep(installer.Errorf(installer.ReasonNotReady, "%w", err))
}

// isPaused is true for a Deployment that its chart holds back: it is as wanted.
func isPaused(info *resource.Info) bool {
	u, ok := info.Object.(*unstructured.Unstructured)
	if !ok {
		return false
	}
	paused, _, _ := unstructured.NestedBool(u.Object, "spec", "paused")
	return paused && info.Mapping.GroupVersionKind.Kind == "Deployment"
}

// WaitWithJobs is not used by the actions here.
func (c *kubeClient) WaitWithJobs(resources kube.ResourceList, timeout time.Duration) error {
	return c.Wait(resources, timeout)
}

// WaitForDelete returns when the objects are gone, or with the end of the
// operation.
func (c *kubeClient) WaitForDelete(resources kube.ResourceList, _ time.Duration) error {
	ids := make(object.ObjMetadataSet, 0, len(resources))
	for _, info := range resources.Difference(c.foreign) {
		ids = append(ids, objMetadata(info))
	}
	c.waiting()
	ctx, done := installer.Step(c.ctx, "helm wait until gone", attribute.Int("ksit.objects", len(ids)))
	err := health.WaitDeleted(tracing.Quiet(ctx), c.conn, ids)
	done(err)
	if err == nil {
		return nil
	}
	if c.ctx.Err() != nil && !errors.Is(context.Cause(c.ctx), errTimeout) {
		return c.keep(installer.Errorf(installer.ReasonCanceled, "waiting for its objects to be gone was interrupted: %w", context.Canceled))
	}
	return c.keep(installer.Errorf(installer.ReasonUninstallFailed, "%w", err))
}

// WatchUntilReady returns when the Jobs and Pods of a hook are through.
func (c *kubeClient) WatchUntilReady(resources kube.ResourceList, _ time.Duration) error {
	c.waiting()
	for _, info := range resources {
		c.tell("running the hook %s", describe(info))
		ctx, done := installer.Step(c.ctx, "helm hook", tracing.Text("ksit.hook", describe(info)))
		err := waitForHook(tracing.Quiet(ctx), c.conn, info)
		done(err)
		if err != nil {
			return c.keep(err)
		}
	}
	return nil
}

// GetPodList returns none: the logs of hooks may hold anything, and nobody here
// would read them.
func (c *kubeClient) GetPodList(string, metav1.ListOptions) (*corev1.PodList, error) {
	return &corev1.PodList{}, nil
}

// OutputContainerLogsForPodList puts out nothing.
func (c *kubeClient) OutputContainerLogsForPodList(*corev1.PodList, string, func(namespace, pod, container string) io.Writer) error {
	return nil
}

func objMetadata(info *resource.Info) object.ObjMetadata {
	return object.ObjMetadata{
		GroupKind: info.Mapping.GroupVersionKind.GroupKind(),
		Namespace: info.Namespace,
		Name:      info.Name,
	}
}

func describe(info *resource.Info) string {
	if info.Namespace == "" {
		return fmt.Sprintf("%s %s", info.Mapping.GroupVersionKind.Kind, info.Name)
	}
	return fmt.Sprintf("%s %s/%s", info.Mapping.GroupVersionKind.Kind, info.Namespace, info.Name)
}
