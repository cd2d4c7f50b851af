// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package options

import (
	"errors"
	"path/filepath"

	cliflag "k8s.io/component-base/cli/flag"
	basecompatibility "k8s.io/component-base/compatibility"
)

// Server are the options of the process that is everything: etcd, API and
// controllers.
type Server struct {
	API         *APIServer
	Etcd        *EmbeddedEtcd
	Controllers *Controllers
	// LeaderElection has controllers of several processes on one etcd take turns. The
	// embedded one has one process by its nature.
	LeaderElection *LeaderElection
}

// NewServer returns the defaults.
func NewServer(registry basecompatibility.ComponentGlobalsRegistry) *Server {
	return &Server{
		API:         NewAPIServer(registry),
		Etcd:        NewEmbeddedEtcd(),
		Controllers: NewControllers(),

		LeaderElection: NewLeaderElection(),
	}
}

// AddFlags adds the flags, by group.
func (o *Server) AddFlags(groups *cliflag.NamedFlagSets) {
	o.Etcd.AddFlags(groups)
	o.Controllers.AddFlags(groups)
	o.LeaderElection.AddFlags(groups)
	groups.FlagSet("leader election").Lookup("leader-elect").Usage =
		"With --etcd-servers, run the controllers only while holding the Lease " + LeaseName + " of the host cluster."
	o.API.AddFlags(groups)
	groups.FlagSet("etcd").Lookup("etcd-servers").Usage =
		"URLs of an etcd to use instead of the embedded one, comma separated: scheme://ip:port."
}

// UsesEmbeddedEtcd is whether etcd runs in this process.
func (o *Server) UsesEmbeddedEtcd() bool {
	return len(o.API.Recommended.Etcd.StorageConfig.Transport.ServerList) == 0
}

// Complete fills in what follows from other options.
func (o *Server) Complete() error {
	if o.UsesEmbeddedEtcd() {
		o.API.etcdFollows = true
		// What a directory outlives, a certificate in it does too: the host
		// cluster is told once whom to trust.
		if cert := &o.API.Recommended.SecureServing.ServerCert; cert.CertDirectory == "" && o.Etcd.DataDir != "" {
			cert.CertDirectory = filepath.Join(o.Etcd.DataDir, "certs")
		}
	}
	if outbound := o.Controllers.Outbound; outbound.CacheDir == "" && o.Etcd.DataDir != "" {
		outbound.CacheDir = filepath.Join(o.Etcd.DataDir, "cache")
	}
	return o.API.Complete()
}

// Validate returns everything that is wrong with the options.
func (o *Server) Validate() error {
	errs := []error{o.API.Validate(), o.Controllers.Validate()}
	if o.UsesEmbeddedEtcd() {
		errs = append(errs, o.Etcd.Validate())
	} else {
		errs = append(errs, o.LeaderElection.Validate())
	}
	return errors.Join(errs...)
}

// SetEtcdEndpoint makes the API store its objects there.
func (o *Server) SetEtcdEndpoint(endpoint string) {
	o.API.Recommended.Etcd.StorageConfig.Transport.ServerList = []string{endpoint}
}
