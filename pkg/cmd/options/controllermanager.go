// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package options

import (
	"errors"
	"fmt"
	"net"
	"strconv"

	genericapiserver "k8s.io/apiserver/pkg/server"
	"k8s.io/apiserver/pkg/server/dynamiccertificates"
	genericoptions "k8s.io/apiserver/pkg/server/options"
	cliflag "k8s.io/component-base/cli/flag"
)

// ControllerManager are the options of the process that runs controllers only.
type ControllerManager struct {
	// Kubeconfig is that of the host cluster; empty for the in-cluster one.
	Kubeconfig string
	// KSITKubeconfig is that of the ksit.io API; empty for the host cluster's.
	KSITKubeconfig string
	Controllers    *Controllers
	LeaderElection *LeaderElection
	Diagnostics    *Diagnostics
	// Certificates are those that the leader makes, for all of KSIT.
	Certificates *Certificates
	Tracing      *Tracing
}

// NewControllerManager returns the defaults.
func NewControllerManager() *ControllerManager {
	return &ControllerManager{
		Controllers:    NewControllers(),
		LeaderElection: NewLeaderElection(),
		Diagnostics:    NewDiagnostics(),
		Certificates:   NewCertificates(),
		Tracing:        NewTracing(),
	}
}

// AddFlags adds the flags, by group.
func (o *ControllerManager) AddFlags(groups *cliflag.NamedFlagSets) {
	fs := groups.FlagSet("clusters")
	fs.StringVar(&o.Kubeconfig, "kubeconfig", o.Kubeconfig,
		"Kubeconfig file of the host cluster, which holds Secrets, Events and the Lease. The in-cluster configuration is used when empty.")
	fs.StringVar(&o.KSITKubeconfig, "ksit-kubeconfig", o.KSITKubeconfig,
		"Kubeconfig file of a server of the ksit.io API. When empty, it is reached through the aggregator of the host cluster.")
	o.Controllers.AddFlags(groups)
	o.LeaderElection.AddFlags(groups)
	o.Diagnostics.AddFlags(groups)
	o.Certificates.AddFlags(groups)
	o.Tracing.AddFlags(groups.FlagSet("traces"))
}

// Complete fills in what follows from other options.
func (o *ControllerManager) Complete() error {
	if o.KSITKubeconfig == "" {
		o.KSITKubeconfig = o.Kubeconfig
	}
	return o.Diagnostics.complete(o.Kubeconfig)
}

// Validate returns everything that is wrong with the options.
func (o *ControllerManager) Validate() error {
	return errors.Join(o.Controllers.Validate(), o.LeaderElection.Validate(), o.Diagnostics.Validate(), o.Tracing.Validate(),
		o.Certificates.Validate(o.Diagnostics.Serving))
}

// Diagnostics are the options of the endpoint for metrics, health and profiles.
type Diagnostics struct {
	// BindAddress is host:port; "0" turns the endpoint off.
	BindAddress string
	// Serving is the Secret with the certificate to serve with, if any.
	Serving *ServingSecret
	// Profiling serves /debug/pprof, and ContentionProfiling has the runtime
	// gather where goroutines wait for each other.
	Profiling, ContentionProfiling bool

	serving *genericoptions.SecureServingOptions
	authn   *genericoptions.DelegatingAuthenticationOptions
	authz   *genericoptions.DelegatingAuthorizationOptions
}

// NewDiagnostics returns the defaults.
func NewDiagnostics() *Diagnostics {
	o := &Diagnostics{
		BindAddress: ":8444",
		Serving:     NewServingSecret(),
		Profiling:   true,
		serving:     genericoptions.NewSecureServingOptions(),
		authn:       genericoptions.NewDelegatingAuthenticationOptions(),
		authz:       genericoptions.NewDelegatingAuthorizationOptions(),
	}
	o.serving.ServerCert.CertDirectory = ""
	o.serving.ServerCert.PairName = "ksit-controller-manager"
	return o
}

// AddFlags adds the flags.
func (o *Diagnostics) AddFlags(groups *cliflag.NamedFlagSets) {
	fs := groups.FlagSet("diagnostics")
	fs.StringVar(&o.BindAddress, "metrics-bind-address", o.BindAddress,
		"Address, host:port, of the HTTPS endpoint for /metrics, /healthz, /readyz, /livez and /debug/pprof; 0 for none. "+
			"But for health, the host cluster must allow the caller to get the path.")
	fs.BoolVar(&o.Profiling, "profiling", o.Profiling,
		"Serve profiles at /debug/pprof of that endpoint.")
	fs.BoolVar(&o.ContentionProfiling, "contention-profiling", o.ContentionProfiling,
		"Gather where goroutines wait, for the profile block; it takes some CPU time. Needs --profiling.")
	cert := &o.serving.ServerCert.CertKey
	fs.StringVar(&cert.CertFile, "tls-cert-file", cert.CertFile,
		"File with the certificate of that endpoint, and its chain. One is made in memory when empty.")
	fs.StringVar(&cert.KeyFile, "tls-private-key-file", cert.KeyFile,
		"File with the key of --tls-cert-file.")
	o.Serving.AddFlags(fs)
}

// Enabled is whether the endpoint is served.
func (o *Diagnostics) Enabled() bool {
	return o.BindAddress != "0"
}

func (o *Diagnostics) complete(kubeconfig string) error {
	if !o.Enabled() {
		return nil
	}
	o.authn.RemoteKubeConfigFile = kubeconfig
	o.authz.RemoteKubeConfigFile = kubeconfig
	host, port, err := o.address()
	if err != nil {
		return nil //nolint:nilerr // Validate reports it
	}
	o.serving.BindAddress, o.serving.BindPort = host, port
	if o.Serving.Enabled() {
		return nil
	}
	if err := o.serving.MaybeDefaultWithSelfSignedCerts("localhost", nil, []net.IP{net.IPv4(127, 0, 0, 1)}); err != nil {
		return fmt.Errorf("making a self-signed certificate for diagnostics: %w", err)
	}
	return nil
}

func (o *Diagnostics) address() (net.IP, int, error) {
	host, portText, err := net.SplitHostPort(o.BindAddress)
	if err != nil {
		return nil, 0, err
	}
	port, err := strconv.ParseUint(portText, 10, 16)
	if err != nil || port == 0 {
		return nil, 0, fmt.Errorf("the port %q is no number from 1 to 65535", portText)
	}
	if host == "" {
		return net.IPv6zero, int(port), nil
	}
	ip := net.ParseIP(host)
	if ip == nil {
		return nil, 0, fmt.Errorf("%q is no IP address", host)
	}
	return ip, int(port), nil
}

// Validate returns everything that is wrong with the options.
func (o *Diagnostics) Validate() error {
	if !o.Enabled() {
		return o.Serving.validate(&o.serving.ServerCert)
	}
	errs := []error{o.Serving.validate(&o.serving.ServerCert)}
	if _, _, err := o.address(); err != nil {
		errs = append(errs, fmt.Errorf("--metrics-bind-address is %q, it must be host:port: %w", o.BindAddress, err))
	}
	errs = append(errs, o.serving.Validate()...)
	errs = append(errs, o.authn.Validate()...)
	errs = append(errs, o.authz.Validate()...)
	return errors.Join(errs...)
}

// DiagnosticsConfig is what the endpoint is served with.
type DiagnosticsConfig struct {
	Serving        *genericapiserver.SecureServingInfo
	Authentication genericapiserver.AuthenticationInfo
	Authorization  genericapiserver.AuthorizationInfo
	// Profiling and ContentionProfiling are those of the options.
	Profiling, ContentionProfiling bool
}

// ServeWith has the endpoint serve with a certificate that changes.
func (o *Diagnostics) ServeWith(provider dynamiccertificates.CertKeyContentProvider) {
	o.serving.ServerCert.GeneratedCert = provider
}

// Config opens the port and connects to the host cluster for authentication and
// authorization.
func (o *Diagnostics) Config() (*DiagnosticsConfig, error) {
	config := &DiagnosticsConfig{Profiling: o.Profiling, ContentionProfiling: o.ContentionProfiling}
	if err := o.serving.ApplyTo(&config.Serving); err != nil {
		return nil, fmt.Errorf("serving diagnostics on %s: %w", o.BindAddress, err)
	}
	if err := o.authn.ApplyTo(&config.Authentication, config.Serving, nil); err != nil {
		return nil, fmt.Errorf("setting up authentication for diagnostics: %w", err)
	}
	if err := o.authz.ApplyTo(&config.Authorization); err != nil {
		return nil, fmt.Errorf("setting up authorization for diagnostics: %w", err)
	}
	return config, nil
}
