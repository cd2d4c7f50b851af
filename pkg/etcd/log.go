// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package etcd

import (
	"fmt"
	"sync/atomic"

	"github.com/go-logr/logr"
	"go.uber.org/zap/zapcore"
)

// The verbosity at which etcd's own levels appear. What etcd calls info is the
// detail of one component to the reader of this process's log.
const (
	verbosityInfo  = 3
	verbosityDebug = 6
)

// phase is how far the life of a server has come. Its log is read by it.
type phase = int32

const (
	phaseStarting phase = iota
	phaseServing
	phaseClosing
)

// logCore writes what etcd logs to the log of this process.
type logCore struct {
	logger logr.Logger
	// phase keeps quiet what is no news: advice on flags while starting, and
	// listeners that report as errors that they were closed while closing.
	phase *atomic.Int32
}

var _ zapcore.Core = logCore{}

// verbosity is how an entry appears.
func (c logCore) verbosity(level zapcore.Level) int {
	phase := c.phase.Load()
	switch {
	case level < zapcore.InfoLevel:
		return verbosityDebug
	case level == zapcore.InfoLevel,
		level == zapcore.WarnLevel && phase != phaseServing,
		phase == phaseClosing:
		return verbosityInfo
	default:
		return 0
	}
}

// Enabled implements zapcore.LevelEnabler.
func (c logCore) Enabled(level zapcore.Level) bool {
	return c.logger.V(c.verbosity(level)).Enabled()
}

// With implements zapcore.Core.
func (c logCore) With(fields []zapcore.Field) zapcore.Core {
	return logCore{logger: c.logger.WithValues(keysAndValues(fields)...), phase: c.phase}
}

// Check implements zapcore.Core.
func (c logCore) Check(entry zapcore.Entry, checked *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	if c.Enabled(entry.Level) {
		return checked.AddCore(entry, c)
	}
	return checked
}

// Write implements zapcore.Core.
func (c logCore) Write(entry zapcore.Entry, fields []zapcore.Field) error {
	kv := keysAndValues(fields)
	if verbosity := c.verbosity(entry.Level); verbosity > 0 || entry.Level <= zapcore.WarnLevel {
		c.logger.V(verbosity).Info(entry.Message, append(kv, "level", entry.Level.String())...)
	} else {
		c.logger.Error(nil, entry.Message, kv...)
	}
	return nil
}

// Sync implements zapcore.Core.
func (logCore) Sync() error { return nil }

func keysAndValues(fields []zapcore.Field) []any {
	encoder := zapcore.NewMapObjectEncoder()
	out := make([]any, 0, 2*len(fields))
	for _, field := range fields {
		if field.Type == zapcore.SkipType {
			continue
		}
		field.AddTo(encoder)
		value, ok := encoder.Fields[field.Key]
		if !ok {
			// Namespaces and inlined objects have no value under their key.
			value = fmt.Sprint(field.Interface)
		}
		out = append(out, field.Key, value)
	}
	return out
}
