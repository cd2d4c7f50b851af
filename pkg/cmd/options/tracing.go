// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package options

import (
	"context"
	"fmt"
	"net"
	"os"

	"github.com/spf13/pflag"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"google.golang.org/grpc"
	utilnet "k8s.io/apimachinery/pkg/util/net"
	genericoptions "k8s.io/apiserver/pkg/server/options"
	utilfeature "k8s.io/apiserver/pkg/util/feature"
	basetracing "k8s.io/component-base/tracing"
	tracingapi "k8s.io/component-base/tracing/api/v1"

	"ksit.io/ksit/pkg/tracing"
	"ksit.io/ksit/pkg/version"
)

// Tracing says where spans go. It stands in the place of the API server library's
// own options, which would call KSIT "apiserver" and wait for a collector at
// the end.
type Tracing struct {
	// ConfigFile holds a TracingConfiguration; empty for no traces.
	ConfigFile string
}

// NewTracing returns the defaults.
func NewTracing() *Tracing { return &Tracing{} }

// AddFlags adds the flags.
func (o *Tracing) AddFlags(fs *pflag.FlagSet) {
	fs.StringVar(&o.ConfigFile, "tracing-config-file", o.ConfigFile,
		"File with a TracingConfiguration (apiserver.config.k8s.io/v1): the OTLP endpoint that gets spans of requests and operations, and how many of a million are sampled.")
}

// Validate returns everything that is wrong with the options.
func (o *Tracing) Validate() error {
	if o.ConfigFile == "" {
		return nil
	}
	if _, err := os.Stat(o.ConfigFile); err != nil {
		return fmt.Errorf("--tracing-config-file: %w", err)
	}
	return nil
}

// Provider makes what the spans of a service are begun with. dial reaches the
// collector; nil dials directly. The caller shuts it down.
func (o *Tracing) Provider(ctx context.Context, service string, dial utilnet.DialFunc) (basetracing.TracerProvider, error) {
	if o.ConfigFile == "" {
		return basetracing.NewNoopTracerProvider(), nil
	}
	config, err := genericoptions.ReadTracingConfiguration(o.ConfigFile)
	if err != nil {
		return nil, fmt.Errorf("--tracing-config-file: %w", err)
	}
	if errs := tracingapi.ValidateTracingConfiguration(config, utilfeature.DefaultFeatureGate, nil); len(errs) > 0 {
		return nil, fmt.Errorf("--tracing-config-file %s: %w", o.ConfigFile, errs.ToAggregate())
	}
	var options []otlptracegrpc.Option
	if dial != nil {
		options = append(options, otlptracegrpc.WithDialOption(grpc.WithContextDialer(func(ctx context.Context, address string) (net.Conn, error) {
			return dial(ctx, "tcp", address)
		})))
	}
	return tracing.NewProvider(ctx, config, tracing.Service{Name: service, Version: version.Get().GitVersion}, options...)
}
