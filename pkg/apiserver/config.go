// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package apiserver

import (
	"errors"
	"fmt"

	apimachineryversion "k8s.io/apimachinery/pkg/version"
	genericapiserver "k8s.io/apiserver/pkg/server"
	basecompatibility "k8s.io/component-base/compatibility"

	"ksit.io/ksit/pkg/apis/ksit/scheme"
	"ksit.io/ksit/pkg/registry/ksit/rest"
	"ksit.io/ksit/pkg/version"
)

// serverName is what the server calls itself in logs and traces.
const serverName = "ksit-apiserver"

// Config is everything that a server is made from.
type Config struct {
	// Generic is the library's part: serving, authentication, authorization,
	// admission, audit, flow control, storage.
	Generic *genericapiserver.RecommendedConfig
	// Scheme holds the types that are served.
	Scheme *scheme.Set
	// TargetProxy passes requests on to targets; nil for a server that does not.
	TargetProxy TargetProxy
	// Live looks at clusters for the subresources that ask one; nil serves none of
	// these.
	Live *rest.Live
}

// NewConfig returns a Config with the defaults of the library, for the caller to
// apply options to.
func NewConfig() (*Config, error) {
	set, err := scheme.New()
	if err != nil {
		return nil, fmt.Errorf("building the scheme: %w", err)
	}
	generic := genericapiserver.NewRecommendedConfig(set.Codecs)
	applyOpenAPI(&generic.Config, set)
	applyLongRunning(&generic.Config)
	boundYAML(&generic.Config)
	sayVersion(&generic.Config)
	sendAway(&generic.Config)
	return &Config{Generic: generic, Scheme: set}, nil
}

// completedConfig is reachable through CompletedConfig only, so that a server
// cannot be made from a Config that was not completed.
type completedConfig struct {
	generic     genericapiserver.CompletedConfig
	scheme      *scheme.Set
	targetProxy TargetProxy
	live        *rest.Live
}

// CompletedConfig is what Complete returns.
type CompletedConfig struct {
	*completedConfig
}

// Complete checks that nothing security depends on is left out, and fills in
// what follows from the rest. The Config must not be used afterwards.
func (c *Config) Complete() (CompletedConfig, error) {
	if err := c.validate(); err != nil {
		return CompletedConfig{}, fmt.Errorf("invalid configuration of the API server: %w", err)
	}
	c.Generic.EffectiveVersion = released{c.Generic.EffectiveVersion}
	return CompletedConfig{&completedConfig{
		generic: c.Generic.Complete(), scheme: c.Scheme, targetProxy: c.TargetProxy, live: c.Live,
	}}, nil
}

// validate refuses what the library takes as a wish: it lets everybody in when
// the authenticator or the authorizer is missing.
func (c *Config) validate() error {
	var errs []error
	require := func(present bool, what string) {
		if !present {
			errs = append(errs, fmt.Errorf("%s is missing", what))
		}
	}
	require(c.Scheme != nil, "the scheme")
	require(c.Generic != nil, "the generic configuration")
	if c.Generic == nil {
		return errors.Join(errs...)
	}
	require(c.Generic.Authentication.Authenticator != nil, "an authenticator")
	require(c.Generic.Authorization.Authorizer != nil, "an authorizer")
	require(c.Generic.SecureServing != nil, "secure serving")
	require(c.Generic.LoopbackClientConfig != nil, "the loopback client")
	require(c.Generic.RESTOptionsGetter != nil, "storage")
	require(c.Generic.EffectiveVersion != nil, "the effective version")
	return errors.Join(errs...)
}

// New builds the server. It dials etcd, and fails after 20 s without it.
func (c CompletedConfig) New() (*Server, error) {
	generic, err := c.generic.New(serverName, genericapiserver.NewEmptyDelegate())
	if err != nil {
		return nil, fmt.Errorf("building the generic API server: %w", err)
	}
	group, err := rest.StorageProvider{
		TargetProxy: c.targetProxy, Live: c.live, Stopping: c.generic.ShutdownInitiatedNotify(),
	}.NewRESTStorage(c.scheme, c.generic.RESTOptionsGetter)
	if err != nil {
		return nil, fmt.Errorf("building the storage of ksit.io: %w", err)
	}
	if err := generic.InstallAPIGroup(&group); err != nil {
		return nil, fmt.Errorf("installing the API group ksit.io: %w", err)
	}
	// The library collects the checks of this hook but leaves running it to the
	// server: without it readyz is green before the watch caches are filled.
	if err := generic.AddPostStartHook("storage-readiness", generic.StorageReadinessHook.Hook); err != nil {
		return nil, fmt.Errorf("adding the hook for storage readiness: %w", err)
	}
	if c.targetProxy != nil {
		if err := stopWith(generic, c.targetProxy); err != nil {
			return nil, err
		}
	}
	return &Server{generic: generic}, nil
}

// released makes /version name the release of Kubernetes that is built in. The
// library would show a placeholder in a binary that was built without its
// linker flags.
type released struct {
	basecompatibility.EffectiveVersion
}

// Info implements basecompatibility.EffectiveVersion.
func (r released) Info() *apimachineryversion.Info {
	info := r.EffectiveVersion.Info()
	if info == nil {
		return nil
	}
	build := version.Get()
	info.GitVersion = build.Kubernetes + "+ksit-" + build.GitVersion
	info.GitCommit = build.GitCommit
	info.BuildDate = build.BuildDate
	return info
}
