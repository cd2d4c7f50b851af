// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

// Package options holds the flags of every command, their defaults and their
// validation, and turns them into the configurations of the packages that work.
package options

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	utilnet "k8s.io/apimachinery/pkg/util/net"
	apiserveradmission "k8s.io/apiserver/pkg/admission"
	genericapiserver "k8s.io/apiserver/pkg/server"
	"k8s.io/apiserver/pkg/server/egressselector"
	genericoptions "k8s.io/apiserver/pkg/server/options"
	"k8s.io/client-go/kubernetes"
	cliflag "k8s.io/component-base/cli/flag"
	basecompatibility "k8s.io/component-base/compatibility"
	"k8s.io/klog/v2"

	"ksit.io/ksit/pkg/admission"
	"ksit.io/ksit/pkg/apiserver"
	"ksit.io/ksit/pkg/etcd/endpoint"
)

const (
	// DefaultStoragePrefix is where in etcd all keys begin.
	DefaultStoragePrefix = "/registry"
	// defaultSecurePort needs no privileges.
	defaultSecurePort = 8443
	// ServiceHost is the name by which the aggregator of the host cluster calls
	// the API server; its certificate must carry it.
	ServiceHost = "ksit-apiserver.ksit-system.svc"
)

// APIServer are the options of the API server.
type APIServer struct {
	// ServerRun bounds requests and paces the shutdown.
	ServerRun *genericoptions.ServerRunOptions
	// Recommended is serving, authentication, authorization, audit, admission,
	// storage, tracing, and the host cluster.
	Recommended *genericoptions.RecommendedOptions
	// TargetProxy bounds what is passed on to targets.
	TargetProxy *TargetProxy

	registry basecompatibility.ComponentGlobalsRegistry
	// etcdFollows is whether somebody sets the etcd servers after Validate.
	etcdFollows bool
	// etcdDial reaches etcd, where it is not to be reached as the flags say.
	etcdDial utilnet.DialFunc
}

// NewAPIServer returns the defaults. The registry holds feature gates and
// emulated versions; a process with one server passes the library's own.
func NewAPIServer(registry basecompatibility.ComponentGlobalsRegistry) *APIServer {
	o := &APIServer{
		ServerRun: genericoptions.NewServerRunOptionsForComponent(basecompatibility.DefaultKubeComponent, registry),
		// The codec is left out: storage has one for each resource.
		Recommended: genericoptions.NewRecommendedOptions(DefaultStoragePrefix, nil),
		TargetProxy: NewTargetProxy(),
		registry:    registry,
	}
	// Without a grace period nobody tells watches to end, and the server waits a
	// minute for them. These add up to less than ten seconds.
	o.ServerRun.ShutdownWatchTerminationGracePeriod = 5 * time.Second
	o.ServerRun.ShutdownSendRetryAfter = true

	o.Recommended.FeatureGate = registry.FeatureGateFor(basecompatibility.DefaultKubeComponent)
	o.Recommended.SecureServing.BindPort = defaultSecurePort
	o.Recommended.SecureServing.ServerCert.PairName = "ksit-apiserver"
	// Empty: a pair that nobody gave is made in memory.
	o.Recommended.SecureServing.ServerCert.CertDirectory = ""
	o.Recommended.Etcd.DefaultStorageMediaType = runtime.ContentTypeProtobuf
	o.Recommended.ExtraAdmissionInitializers = func(config *genericapiserver.RecommendedConfig) ([]apiserveradmission.PluginInitializer, error) {
		return admission.Initializers(config.LoopbackClientConfig)
	}
	admission.Configure(o.Recommended.Admission)
	return o
}

// AddFlags adds the flags, by group.
func (o *APIServer) AddFlags(groups *cliflag.NamedFlagSets) {
	o.ServerRun.AddUniversalFlags(groups.FlagSet("generic"))
	o.Recommended.SecureServing.AddFlags(groups.FlagSet("secure serving"))
	o.Recommended.Etcd.AddFlags(groups.FlagSet("etcd"))
	o.Recommended.CoreAPI.AddFlags(groups.FlagSet("host cluster"))
	o.Recommended.Authentication.AddFlags(groups.FlagSet("authentication"))
	o.Recommended.Authorization.AddFlags(groups.FlagSet("authorization"))
	o.Recommended.Admission.AddFlags(groups.FlagSet("admission"))
	o.Recommended.Audit.AddFlags(groups.FlagSet("auditing"))
	o.Recommended.Features.AddFlags(groups.FlagSet("features"))
	o.Recommended.EgressSelector.AddFlags(groups.FlagSet("egress selector"))
	o.Recommended.Traces.AddFlags(groups.FlagSet("traces"))
	o.TargetProxy.AddFlags(groups.FlagSet("targets and sources"))

	kubeconfig := groups.FlagSet("host cluster").Lookup("kubeconfig")
	kubeconfig.Usage = "Kubeconfig file of the host cluster, which authenticates and authorizes users and holds " +
		"namespaces, admission policies and quota. The in-cluster configuration is used when empty. It serves as " +
		"--authentication-kubeconfig and --authorization-kubeconfig too unless those are given."
}

// Complete fills in what follows from other options. Flags must have been parsed.
func (o *APIServer) Complete() error {
	// Before anything reads a feature gate.
	if err := o.registry.Set(); err != nil {
		return fmt.Errorf("setting feature gates and versions: %w", err)
	}
	kubeconfig := o.Recommended.CoreAPI.CoreAPIKubeconfigPath
	for _, file := range []*string{
		&o.Recommended.Authentication.RemoteKubeConfigFile,
		&o.Recommended.Authorization.RemoteKubeConfigFile,
	} {
		if *file == "" {
			*file = kubeconfig
		}
	}
	err := o.Recommended.SecureServing.MaybeDefaultWithSelfSignedCerts(
		"localhost", []string{ServiceHost}, []net.IP{net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return fmt.Errorf("making a self-signed serving certificate: %w", err)
	}
	return nil
}

// Validate returns everything that is wrong with the options.
func (o *APIServer) Validate() error {
	recommended := *o.Recommended
	if o.etcdFollows {
		etcd := *recommended.Etcd
		etcd.StorageConfig.Transport.ServerList = []string{"unix://"}
		recommended.Etcd = &etcd
	}
	errs := append(o.ServerRun.Validate(), recommended.Validate()...)
	if run := o.ServerRun; run.ShutdownWatchTerminationGracePeriod == 0 {
		errs = append(errs, errors.New("--shutdown-watch-termination-grace-period must be over 0: watches would hold up every stop for a minute"))
	}
	return errors.Join(append(errs, o.TargetProxy.Validate())...)
}

// Config turns the options into the configuration of a server. It talks to the
// host cluster.
func (o *APIServer) Config(ctx context.Context) (*apiserver.Config, error) {
	config, err := apiserver.NewConfig()
	if err != nil {
		return nil, err
	}
	generic := config.Generic
	if err := o.ServerRun.ApplyTo(&generic.Config); err != nil {
		return nil, fmt.Errorf("applying the generic options: %w", err)
	}
	if err := o.disableUnservedAdmission(ctx); err != nil {
		return nil, err
	}
	recommended := *o.Recommended
	recommended.Etcd = nil // applied below, with a layout of its own
	if err := recommended.ApplyTo(generic); err != nil {
		return nil, fmt.Errorf("applying options: %w", err)
	}
	etcd := *o.Recommended.Etcd
	etcd.StorageConfig.Transport.TracerProvider = generic.TracerProvider
	switch {
	case o.etcdDial != nil:
		etcd.StorageConfig.Transport.EgressLookup = func(egressselector.NetworkContext) (utilnet.DialFunc, error) { return o.etcdDial, nil }
	case generic.EgressSelector != nil:
		etcd.StorageConfig.Transport.EgressLookup = generic.EgressSelector.Lookup
	}
	if err := apiserver.ApplyStorage(&generic.Config, &etcd, config.Scheme); err != nil {
		return nil, err
	}
	return config, nil
}

// Etcd is where the flags say that etcd is, for somebody who passes on to it what
// the server asks. It is false where the server must reach etcd itself: in this
// process, through an egress selector, or by resource.
func (o *APIServer) Etcd() (endpoint.Options, bool) {
	transport := o.Recommended.Etcd.StorageConfig.Transport
	apart := o.etcdFollows || len(o.Recommended.Etcd.EtcdServersOverrides) > 0 || o.Recommended.EgressSelector.ConfigFile != ""
	return endpoint.Options{
		Servers: transport.ServerList, CAFile: transport.TrustedCAFile, CertFile: transport.CertFile, KeyFile: transport.KeyFile,
	}, !apart
}

// SetEtcd has the server reach etcd by a dialer, without certificates.
func (o *APIServer) SetEtcd(server string, dial utilnet.DialFunc) {
	o.etcdDial = dial
	transport := &o.Recommended.Etcd.StorageConfig.Transport
	transport.ServerList = []string{server}
	transport.TrustedCAFile, transport.CertFile, transport.KeyFile = "", "", ""
}

func (o *APIServer) disableUnservedAdmission(ctx context.Context) error {
	host, err := RESTConfig(o.Recommended.CoreAPI.CoreAPIKubeconfigPath)
	if err != nil {
		return err
	}
	client, err := kubernetes.NewForConfig(host)
	if err != nil {
		return fmt.Errorf("connecting to the host cluster: %w", err)
	}
	disabled, err := admission.DisableUnserved(o.Recommended.Admission, client.Discovery())
	if err != nil {
		return err
	}
	if len(disabled) > 0 {
		klog.FromContext(ctx).Info("The host cluster is too old for these admission plug-ins; they are off", "plugins", disabled)
	}
	return nil
}
