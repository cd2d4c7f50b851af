// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package helm

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"helm.sh/helm/v3/pkg/action"
	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/release"
	"helm.sh/helm/v3/pkg/storage"
	"k8s.io/klog/v2"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/cluster"
	"ksit.io/ksit/pkg/installer"
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

// do runs an action of Helm, and returns soon after the context ends even if a
// template runs for ever: nothing that the action does then reaches the target.
func (o *operation) do(doing string, run func() error) error {
	done := make(chan error, 1)
	go func() {
		defer func() {
			if r := recover(); r != nil {
				done <- installer.Terminalf(installer.ReasonRenderFailed, "Helm gave up on the chart")
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
	chart  *chart.Chart
	values map[string]any
	policy v1alpha1.CRDPolicy
	labels map[string]string
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
	return o.rollOut(renderer, "installing", func() error {
		_, err := a.Run(r.chart, r.values)
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
	return o.rollOut(renderer, "upgrading", func() error {
		_, err := a.Run(o.release.Name, r.chart, r.values)
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

// rollOut runs an install or upgrade. An error from before the templates were
// rendered is the chart's fault, or that of the values.
func (o *operation) rollOut(renderer *postRenderer, doing string, run func() error) error {
	err := o.do(doing, run)
	if err == nil || renderer.rendered || o.ctx.Err() != nil {
		return err
	}
	if installer.ReasonOf(err) != installer.ReasonInstallFailed {
		return err
	}
	text := err.Error()
	switch {
	case strings.Contains(text, "values don't meet the specifications of the schema"):
		return &installer.Error{Reason: installer.ReasonValuesInvalid, Terminal: true, Err: err}
	case strings.Contains(text, "chart requires kubeVersion"):
		return &installer.Error{Reason: installer.ReasonChartInvalid, Terminal: true, Err: err}
	case strings.Contains(text, "error calling lookup"):
		return &installer.Error{Reason: installer.ReasonRenderFailed, Err: err}
	case strings.Contains(text, "template") || strings.Contains(text, "parse error") || strings.Contains(text, "execution error") || strings.Contains(text, "YAML"):
		return &installer.Error{Reason: installer.ReasonRenderFailed, Terminal: true, Err: err}
	default:
		return err
	}
}

// prepare makes the post-renderer of a rollout, and applies the CRDs of crds/
// ahead of it where the templates look at the target: lookup fails for kinds
// that are not served. Otherwise they wait until all is known to fit.
func (o *operation) prepare(r rollout) (*postRenderer, error) {
	var crds []crd
	if r.policy != v1alpha1.CRDPolicySkip {
		var err error
		if crds, err = chartCRDs(r.chart); err != nil {
			return nil, err
		}
	}
	if len(crds) > 0 && usesLookup(r.chart) {
		// How large the manifests are is not known yet.
		if err := fits(o.release, r, nil); err != nil {
			return nil, err
		}
		if err := o.applyCRDs(crds, r.policy); err != nil {
			return nil, err
		}
		crds = nil
	}
	caps, err := o.caps.get(o.ctx, o.conn, crds)
	if err != nil {
		return nil, classify(o.ctx, err, "asking the target what it serves", o.redact)
	}
	o.config.Capabilities = caps
	renderer := &postRenderer{operation: o, rollout: r, crds: crds}
	// Hooks do not pass through a post-renderer. They are seen here, before
	// the first of them runs.
	o.driver.prepare = renderer.rewriteHooks
	return renderer, nil
}

func (o *operation) applyCRDs(crds []crd, policy v1alpha1.CRDPolicy) error {
	if len(crds) == 0 {
		return nil
	}
	o.client.tell("applying CRDs: %d", len(crds))
	err := applyCRDs(o.ctx, o.conn, crds, policy, o.release)
	o.caps.forget(o.conn)
	if err == nil {
		o.client.tell("CRDs established: %d", len(crds))
	}
	return classify(o.ctx, err, "installing its CRDs", o.redact)
}

// usesLookup tells whether a template of a chart may look at the target.
func usesLookup(c *chart.Chart) bool {
	for _, t := range c.Templates {
		if bytes.Contains(t.Data, []byte("lookup")) {
			return true
		}
	}
	for _, sub := range c.Dependencies() {
		if usesLookup(sub) {
			return true
		}
	}
	return false
}

// postRenderer stands between the rendering of a chart and the first write.
type postRenderer struct {
	operation *operation
	rollout   rollout
	crds      []crd
	rendered  bool
}

// Run rewrites images, makes sure that the release fits into a Secret, makes its
// namespace, and applies all CRDs, whether from crds/ or from templates.
func (p *postRenderer) Run(manifest *bytes.Buffer) (*bytes.Buffer, error) {
	o := p.operation
	p.rendered = true
	rewritten, err := rewriteImages(o.rewrites, manifest.Bytes())
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

func (p *postRenderer) rewriteHooks(rel *release.Release) error {
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
