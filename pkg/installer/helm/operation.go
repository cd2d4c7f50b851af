// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package helm

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"helm.sh/helm/v3/pkg/action"
	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/release"
	"helm.sh/helm/v3/pkg/storage"
	"k8s.io/klog/v2"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/cluster"
	"ksit.io/ksit/pkg/installer"
	"ksit.io/ksit/pkg/installer/helm/render"
	"ksit.io/ksit/pkg/rewrite"
)

// operation is one run of an action of Helm on one release.
type operation struct {
	ctx      context.Context
	conn     *cluster.Connection
	release  releaseName
	rewrites *rewrite.Table
	redact   *redactor
	caps     *capabilityCache
	renderer *render.Renderer
	lookups  LookupPolicy

	client *kubeClient
	config *action.Configuration
	driver *secretsDriver
	stop   context.CancelFunc
}

// newOperation prepares an operation. The caller must call close.
func newOperation(ctx context.Context, conn *cluster.Connection, rel releaseName, redact *redactor) *operation {
	o := &operation{ctx: ctx, conn: conn, release: rel, redact: redact}
	logger := klog.FromContext(ctx)
	log := func(format string, args ...any) {
		if l := logger.V(5); l.Enabled() {
			l.Info("Helm", "release", rel, "message", redact.text(fmt.Sprintf(format, args...)))
		}
	}
	getter := &boundGetter{RESTClientGetter: conn.RESTClientGetter(rel.Namespace), ctx: ctx}
	o.client = newKubeClient(ctx, conn, getter, rel, log)
	var recordCtx context.Context
	recordCtx, o.stop = outlive(ctx, recordGrace)
	o.driver = newSecretsDriver(recordCtx, conn, rel.Namespace)
	releases := storage.Init(o.driver)
	releases.MaxHistory = maxHistory
	o.config = &action.Configuration{RESTClientGetter: getter, Releases: releases, KubeClient: o.client, Log: log}
	return o
}

func (o *operation) close() { o.stop() }

// tell has the operation say what it does as its step says it, and give back its
// turn ahead of every wait.
func (o *operation) tell(s *step, free func()) {
	o.client.beforeWait = s.waits(free)
	o.client.progress = func(line string) { s.say("%s", o.redact.text(line)) }
}

// do runs an action of Helm, and returns soon after the context ends: nothing
// that the action does then reaches the target.
func (o *operation) do(doing string, run func() error) error {
	done := make(chan error, 1)
	go func() {
		defer func() {
			if r := recover(); r != nil {
				done <- installer.Terminalf(installer.ReasonInstallFailed, "Helm gave up on the release")
			}
		}()
		done <- run()
	}()
	var err error
	select {
	case err = <-done:
	case <-o.driver.ctx.Done():
		return interrupted(o.ctx, doing)
	}
	if err != nil && o.client.failure != nil {
		err = o.client.failure
	}
	return classify(o.ctx, err, doing, o.redact)
}

// rollout is what an install or upgrade brings.
type rollout struct {
	chart   *chart.Chart
	archive []byte
	values  map[string]any
	policy  v1alpha1.CRDPolicy
	labels  map[string]string
	// follows is the number of the newest revision where it is an upgrade, 0 where
	// it is an install.
	follows int
}

func (o *operation) install(r rollout, replace bool) error {
	renderer, err := o.prepare(r)
	if err != nil {
		return err
	}
	a := action.NewInstall(o.config)
	a.ReleaseName, a.Namespace, a.Replace, a.Labels = o.release.Name, o.release.Namespace, replace, r.labels
	a.Wait, a.Timeout = true, o.timeLeft()
	a.SkipCRDs, a.DisableOpenAPIValidation = true, true
	a.PostRenderer = renderer
	return o.do("installing", func() error {
		_, err := a.Run(shell(r.chart), r.values)
		return err
	})
}

func (o *operation) upgrade(r rollout) error {
	renderer, err := o.prepare(r)
	if err != nil {
		return err
	}
	a := action.NewUpgrade(o.config)
	a.Namespace, a.Labels, a.MaxHistory = o.release.Namespace, r.labels, maxHistory
	a.Wait, a.Timeout = true, o.timeLeft()
	// The values are all there are: those of the last revision do not count.
	a.ResetValues = true
	a.SkipCRDs, a.DisableOpenAPIValidation = true, true
	a.PostRenderer = renderer
	return o.do("upgrading", func() error {
		_, err := a.Run(o.release.Name, shell(r.chart), r.values)
		return err
	})
}

func (o *operation) uninstall() error {
	o.client.tolerant = true
	a := action.NewUninstall(o.config)
	a.Wait, a.Timeout, a.IgnoreNotFound = true, o.timeLeft(), true
	a.DeletionPropagation = "background"
	return o.do("uninstalling", func() error {
		_, err := a.Run(o.release.Name)
		return err
	})
}

// timeLeft is what Helm is told; what counts is the context.
func (o *operation) timeLeft() time.Duration {
	if deadline, ok := o.ctx.Deadline(); ok {
		return time.Until(deadline)
	}
	return time.Hour
}

// prepare has the chart rendered, and returns what hands it to Helm. Nothing is
// written before.
func (o *operation) prepare(r rollout) (*postRenderer, error) {
	rendered, crds, err := o.rendering(r)
	if err != nil {
		return nil, err
	}
	renderer := &postRenderer{operation: o, rollout: r, crds: crds, rendered: rendered}
	// Hooks do not pass through a post-renderer. They are seen here, before
	// the first of them runs.
	o.driver.prepare = renderer.complete
	return renderer, nil
}

func (o *operation) applyCRDs(crds []crd, policy v1alpha1.CRDPolicy) error {
	if len(crds) == 0 {
		return nil
	}
	o.client.tell("applying CRDs: %d", len(crds))
	ctx, done := installer.Step(o.ctx, "helm apply CRDs", attribute.Int("ksit.objects", len(crds)))
	err := applyCRDs(ctx, o.conn, crds, policy, o.release)
	done(err)
	o.caps.forget(o.conn)
	if err == nil {
		o.client.tell("CRDs established: %d", len(crds))
	}
	return classify(o.ctx, err, "installing its CRDs", o.redact)
}

// postRenderer stands between the rendering of a chart and the first write.
type postRenderer struct {
	operation *operation
	rollout   rollout
	crds      []crd
	rendered  *render.Result
}

// Run puts what was rendered in the place of what Helm made of an empty chart.
// Before, it rewrites images, makes sure that the release fits into a Secret, makes its
// namespace, and applies all CRDs, whether from crds/ or from templates.
func (p *postRenderer) Run(*bytes.Buffer) (*bytes.Buffer, error) {
	o := p.operation
	rewritten, err := rewriteImages(o.rewrites, []byte(p.rendered.Manifest))
	if err != nil {
		return nil, o.client.keep(err)
	}
	templated, err := templatedCRDs(rewritten)
	if err != nil {
		return nil, o.client.keep(err)
	}
	if err := fits(o.release, p.rollout, rewritten); err != nil {
		return nil, o.client.keep(err)
	}
	if err := keepStoredVersions(o.ctx, o.conn, templated); err != nil {
		return nil, o.client.keep(classify(o.ctx, err, "looking at its CRDs", o.redact))
	}
	if err := ensureNamespace(o.ctx, o.conn, o.release.Namespace); err != nil {
		return nil, o.client.keep(classify(o.ctx, err, "the namespace", o.redact))
	}
	if err := o.applyCRDs(p.crds, p.rollout.policy); err != nil {
		return nil, o.client.keep(err)
	}
	// The policy is for crds/. What templates hold is part of the release.
	if err := o.applyCRDs(templated, v1alpha1.CRDPolicyCreateReplace); err != nil {
		return nil, o.client.keep(err)
	}
	return bytes.NewBuffer(rewritten), nil
}

// complete makes of a release of an empty chart that of the chart, ahead of its
// first record.
func (p *postRenderer) complete(rel *release.Release) error {
	if p.rollout.follows > 0 && rel.Version != p.rollout.follows+1 {
		return p.operation.client.keep(installer.Errorf(installer.ReasonReleaseConflict,
			"revision %d of the release was made by somebody else meanwhile", rel.Version-1))
	}
	rel.Chart, rel.Hooks, rel.Info.Notes = asRecorded(p.rollout.chart, p.rendered), p.rendered.Hooks, p.rendered.Notes
	for _, hook := range rel.Hooks {
		rewritten, err := rewriteImages(p.operation.rewrites, []byte(hook.Manifest))
		if err != nil {
			return p.operation.client.keep(err)
		}
		hook.Manifest = string(rewritten)
	}
	return nil
}

// hookAllowance is left for the hooks, which are not known yet when it is
// decided whether a release fits.
const hookAllowance = 64 << 10

// fits tells, before anything is applied, whether a release will fit into its
// Secret. The cheap compression gives an upper bound.
func fits(name releaseName, r rollout, manifest []byte) error {
	plain, err := json.Marshal(&release.Release{
		Name: name.Name, Namespace: name.Namespace, Chart: r.chart, Config: r.values,
		Manifest: string(manifest), Info: &release.Info{}, Labels: r.labels,
	})
	if err != nil {
		return installer.Terminalf(installer.ReasonChartInvalid, "the release cannot be written as JSON")
	}
	// Base64 and what gzip adds to what it cannot compress.
	if len(plain)/3*4 < maxReleaseBytes-hookAllowance {
		return nil
	}
	_, err = encodePlain(plain, maxReleaseBytes-hookAllowance)
	return err
}
