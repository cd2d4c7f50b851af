// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

// Package controller runs the controllers of KSIT over one set of informers:
// targets are connected to and probed, Integrations expanded, Installations
// installed, probed and uninstalled.
package controller

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.opentelemetry.io/otel/trace"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/events"
	"k8s.io/klog/v2"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/cluster"
	"ksit.io/ksit/pkg/controller/fleet"
	"ksit.io/ksit/pkg/controller/index"
	"ksit.io/ksit/pkg/controller/installation"
	"ksit.io/ksit/pkg/controller/integration"
	"ksit.io/ksit/pkg/controller/journal"
	"ksit.io/ksit/pkg/controller/target"
	"ksit.io/ksit/pkg/controller/workers"
	"ksit.io/ksit/pkg/generated/clientset/versioned"
	ksitscheme "ksit.io/ksit/pkg/generated/clientset/versioned/scheme"
	"ksit.io/ksit/pkg/generated/informers/externalversions"
	"ksit.io/ksit/pkg/host"
	"ksit.io/ksit/pkg/installer"
	"ksit.io/ksit/pkg/metrics"
	"ksit.io/ksit/pkg/sources"
)

// Workers of the pools whose work is quick; that of the installs is set by the
// user.
const (
	integrationWorkers = 4
	targetWorkers      = 16
	probeWorkers       = 8
	// waitingPerWorker is how many operations there may be for each that is at
	// work: the others wait for what they applied to become ready.
	waitingPerWorker = 10
	// chartWorkers ask chart repositories for versions.
	chartWorkers = 2
	// logWorkers send what is said of Installations to the API.
	logWorkers = 4
)

// Config is what the controllers need.
type Config struct {
	// KSIT is where the ksit.io API is, and Host where Secrets, ConfigMaps,
	// namespaces, Events and Leases are.
	KSIT *rest.Config
	Host *rest.Config
	// Workers is how many installs, upgrades and uninstalls are at work at once.
	// Those that only wait for what they applied are not counted.
	Workers int
	// SummaryInterval is the time between two lines of the log that say how all
	// Installations are; 0 for none.
	SummaryInterval time.Duration
	// Connections are made and dropped by the controllers. Run closes them.
	Connections *cluster.Set
	// Installers by the method that they carry out.
	Installers map[v1alpha1.InstallMethod]installer.Installer
	Metrics    *metrics.Metrics
	// Traces begins the spans of operations; nil for none.
	Traces trace.TracerProvider
	// LeaderElection has Run wait until this process is the leader; nil where
	// there is but one process.
	LeaderElection *LeaderElection
	// WhileLeading, where given, runs beside the controllers while this process
	// leads, whether or not the ksit.io API can be reached, and returns soon after
	// its context is done.
	WhileLeading func(context.Context)
}

// Manager runs the controllers.
type Manager struct {
	config    Config
	informers externalversions.SharedInformerFactory
	events    events.EventBroadcaster
	elector   *elector

	integrations *workers.Pool
	charts       *workers.Pool
	targets      *workers.Pool
	probes       *workers.Pool
	operations   *workers.Pool
	logs         *workers.Pool
	journal      *journal.Journal
	fleet        *fleet.Reporter
}

// New wires the controllers. Nothing is sent or started before Run.
func New(config Config) (*Manager, error) {
	ksitClient, err := versioned.NewForConfig(config.KSIT)
	if err != nil {
		return nil, fmt.Errorf("making the client of the ksit.io API: %w", err)
	}
	hostClient, err := kubernetes.NewForConfig(config.Host)
	if err != nil {
		return nil, fmt.Errorf("making the client of the host cluster: %w", err)
	}
	m := &Manager{
		config:    config,
		informers: externalversions.NewSharedInformerFactoryWithOptions(ksitClient, 0, externalversions.WithTransform(withoutManagedFields)),
		events:    events.NewBroadcaster(&events.EventSinkImpl{Interface: hostClient.EventsV1()}),
	}
	if config.LeaderElection != nil {
		if m.elector, err = newElector(*config.LeaderElection, hostClient); err != nil {
			return nil, err
		}
	}
	return m, m.wire(ksitClient, hostClient)
}

// withoutManagedFields keeps out of the caches who wrote which field. Nobody here
// asks, and the API takes an object that does not say for one that leaves it as it
// is.
func withoutManagedFields(obj any) (any, error) {
	if object, err := meta.Accessor(obj); err == nil {
		object.SetManagedFields(nil)
	}
	return obj, nil
}

func (m *Manager) wire(ksitClient versioned.Interface, hostClient kubernetes.Interface) error {
	api := ksitClient.KsitV1alpha1()
	kinds := m.informers.Ksit().V1alpha1()
	installationInformer := kinds.Installations().Informer()
	installations, err := index.NewInstallations(installationInformer)
	if err != nil {
		return err
	}
	naming, err := index.NewIntegrations(kinds.Integrations().Informer())
	if err != nil {
		return err
	}
	recorder := m.events.NewRecorder(ksitscheme.Scheme, "ksit-controller-manager")
	reader := host.NewReader(hostClient)

	read := sources.Reader{ConfigMaps: reader.ConfigMaps(), Secrets: reader.Secrets()}
	resolver, ok := m.config.Installers[v1alpha1.InstallMethodHelm].(installer.Resolver)
	if !ok {
		return errors.New("the installer of the method helm cannot tell versions of charts")
	}
	charts := &integration.Charts{
		Client:        api,
		Integrations:  kinds.Integrations().Lister(),
		Installations: installations,
		Sources:       read,
		Resolver:      resolver,
		Events:        recorder,
		Changed:       func(key types.NamespacedName) { m.integrations.Add(key) },
	}
	integrationController := &integration.Controller{
		Client:        api,
		Integrations:  kinds.Integrations().Lister(),
		Targets:       kinds.IntegrationTargets().Lister(),
		Installations: installations,
		Sources:       read,
		Charts:        charts,
		Traces:        m.config.Traces,
		Access:        reader.Access(),
		Events:        recorder,
	}
	targetController := &target.Controller{
		Client:        api,
		Targets:       kinds.IntegrationTargets().Lister(),
		Installations: installations,
		Secrets:       reader.Secrets(),
		Connections:   m.config.Connections,
		Events:        recorder,
		Metrics:       m.config.Metrics,
	}
	m.journal = journal.New(api, func(key types.NamespacedName, after time.Duration) { m.logs.AddAfter(key, after) })
	installationController := &installation.Controller{
		Client:        api,
		Installations: kinds.Installations().Lister(),
		Integrations:  kinds.Integrations().Lister(),
		Targets:       kinds.IntegrationTargets().Lister(),
		Connections:   m.config.Connections,
		Installers:    m.config.Installers,
		Sources:       read,
		Namespaces:    reader.Namespaces(),
		Events:        recorder,
		Metrics:       m.config.Metrics,
		Log:           m.journal,
		Traces:        m.config.Traces,
		Slots:         m.config.Workers,
		Probe:         func(key types.NamespacedName, after time.Duration) { m.probes.AddAfter(key, after) },
		Work:          func(key types.NamespacedName) { m.operations.Add(key) },
	}
	observe := m.config.Metrics.ObserveReconcile
	m.integrations = workers.NewPool("integration", integrationController.Reconcile, observe)
	m.charts = workers.NewPool("chart", charts.Reconcile, observe)
	m.targets = workers.NewPool("target", targetController.Reconcile, observe)
	m.probes = workers.NewPool("installation", installationController.Reconcile, observe)
	m.operations = workers.NewPool("operation", installationController.Operate, observe)
	m.logs = workers.NewPool("log", m.journal.Send, observe)
	m.fleet = &fleet.Reporter{
		Integrations:  kinds.Integrations().Lister(),
		Installations: kinds.Installations().Lister(),
		Targets:       kinds.IntegrationTargets().Lister(),
		Interval:      m.config.SummaryInterval,
	}

	routes := routes{manager: m, installations: installations, integrations: kinds.Integrations().Lister(), naming: naming}
	for informer, handler := range map[cache.SharedIndexInformer]cache.ResourceEventHandler{
		kinds.Integrations().Informer():       routes.forIntegrations(),
		kinds.IntegrationTargets().Informer(): routes.forTargets(),
		installationInformer:                  routes.forInstallations(),
	} {
		if _, err := informer.AddEventHandler(handler); err != nil {
			return fmt.Errorf("subscribing to an informer: %w", err)
		}
	}
	return nil
}

// Run runs the controllers, once this process leads, until ctx ends, and
// returns when all work has stopped. It returns an error when it ended for
// another reason, such as leadership that was lost: the process should then
// end as well, and a manager is not run twice.
func (m *Manager) Run(ctx context.Context) error {
	defer m.config.Connections.Close()
	if m.elector == nil {
		return m.work(ctx)
	}
	return m.elector.run(ctx, m.work)
}

func (m *Manager) work(ctx context.Context) error {
	if m.config.WhileLeading != nil {
		var beside sync.WaitGroup
		defer beside.Wait()
		leading, stop := context.WithCancel(ctx)
		defer stop()
		beside.Go(func() { m.config.WhileLeading(leading) })
	}
	if err := m.events.StartRecordingToSinkWithContext(ctx); err != nil {
		return fmt.Errorf("starting to record events: %w", err)
	}
	defer m.events.Shutdown()
	m.informers.StartWithContext(ctx)
	defer m.informers.Shutdown()
	for kind, synced := range m.informers.WaitForCacheSync(ctx.Done()) {
		if !synced {
			if ctx.Err() != nil {
				return nil
			}
			return errors.New("the cache of " + kind.String() + " could not be filled")
		}
	}
	klog.FromContext(ctx).Info("Controllers started", "workers", m.config.Workers)
	var pools sync.WaitGroup
	pools.Go(func() { m.integrations.Run(ctx, integrationWorkers) })
	pools.Go(func() { m.charts.Run(ctx, chartWorkers) })
	pools.Go(func() { m.targets.Run(ctx, targetWorkers) })
	pools.Go(func() { m.probes.Run(ctx, probeWorkers) })
	pools.Go(func() { m.operations.Run(ctx, m.config.Workers*waitingPerWorker) })
	pools.Go(func() { m.logs.Run(ctx, logWorkers) })
	pools.Go(func() { m.fleet.Run(ctx) })
	pools.Wait()
	// Nobody says anything any more.
	m.journal.SendAll(context.WithoutCancel(ctx))
	klog.FromContext(ctx).Info("Controllers stopped")
	return nil
}
