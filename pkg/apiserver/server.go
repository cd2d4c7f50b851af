// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package apiserver

import (
	"context"
	"fmt"
	"time"

	genericapiserver "k8s.io/apiserver/pkg/server"
	"k8s.io/client-go/rest"
	"k8s.io/klog/v2"
)

// companionStopTimeout bounds how long a companion may take to stop. What it
// leaves undone then is what it would leave undone if the process were killed.
const companionStopTimeout = 6 * time.Second

// Server is an API server that is ready to run.
type Server struct {
	generic    *genericapiserver.GenericAPIServer
	companions []*companion
}

// companion is what runs in the same process and needs the API.
type companion struct {
	name string
	run  func(ctx context.Context, api *rest.Config) error
}

// RunBeside makes run start when the API serves, with a configuration that
// reaches it, and stop before the API does. run must return soon after its
// context is done, when all that it started has stopped. When it returns before
// that, the server stops too. RunBeside must not be called once Run was.
func (s *Server) RunBeside(name string, run func(ctx context.Context, api *rest.Config) error) {
	s.companions = append(s.companions, &companion{name: name, run: run})
}

// Run serves until ctx is done, then lets open requests end, tells watches to
// reconnect elsewhere and returns. It returns the error of a companion that
// failed, and nil after an orderly stop.
func (s *Server) Run(ctx context.Context) error {
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	for _, companion := range s.companions {
		if err := s.hook(ctx, companion, fail); err != nil {
			return fmt.Errorf("adding %s to the API server: %w", companion.name, err)
		}
	}
	if err := s.generic.PrepareRun().RunWithContext(ctx); err != nil {
		return fmt.Errorf("running the API server: %w", err)
	}
	// Whoever ended it without a cause just wanted it to end.
	if cause := context.Cause(ctx); cause != ctx.Err() { //nolint:errorlint // the cause may wrap the other
		return cause
	}
	return nil
}

// hook ties the life of a companion to that of the server: it starts after the
// server and, in a pre-shutdown hook, stops while the API still answers, so that
// it can write its last status.
func (s *Server) hook(ctx context.Context, c *companion, fail context.CancelCauseFunc) error {
	// Not a child of ctx: the pre-shutdown hook decides when it ends.
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	stopped := make(chan struct{})
	started := make(chan struct{})
	logger := klog.FromContext(ctx).WithValues("companion", c.name)

	// A post-start hook must return, readyz waits for it.
	err := s.generic.AddPostStartHook("start-"+c.name, func(hook genericapiserver.PostStartHookContext) error {
		close(started)
		go func() {
			defer close(stopped)
			err := c.run(running, rest.CopyConfig(hook.LoopbackClientConfig))
			if running.Err() == nil {
				fail(fmt.Errorf("%s stopped: %w", c.name, orUnexpected(err)))
			} else if err != nil {
				logger.Error(err, "Stopping")
			}
		}()
		return nil
	})
	if err != nil {
		stop()
		return err
	}
	return s.generic.AddPreShutdownHook("stop-"+c.name, func() error {
		stop()
		select {
		case <-started:
		default:
			return nil
		}
		select {
		case <-stopped:
			logger.Info("Stopped")
		case <-time.After(companionStopTimeout):
			// An error here would cut short the requests that are in flight.
			logger.Info("Did not stop in time, going on without it", "timeout", companionStopTimeout)
		}
		return nil
	})
}

func orUnexpected(err error) error {
	if err == nil {
		return fmt.Errorf("it ended without being asked to")
	}
	return err
}
