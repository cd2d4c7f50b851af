// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package snapshot

import (
	"fmt"

	"go.etcd.io/etcd/etcdutl/v3/snapshot"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// library is etcd's own code for snapshots. A database that it cannot open or
// write makes it panic, or end the process, with the reason in its log only: the
// calls through it return that as an error.
type library struct{ reason *reason }

func newLibrary() library { return library{reason: &reason{}} }

func (l library) call(f func(snapshot.Manager) error) (err error) {
	defer func() {
		if panicked := recover(); panicked != nil {
			if l.reason.text == "" {
				l.reason.text = fmt.Sprint(panicked)
			}
			err = fmt.Errorf("etcd gave up: %s", l.reason.text)
		}
	}()
	return f(snapshot.NewV3(zap.New(l.reason, zap.WithFatalHook(zapcore.WriteThenPanic))))
}

// reason keeps what was logged last as a reason to give up.
type reason struct{ text string }

var _ zapcore.Core = (*reason)(nil)

// Enabled implements zapcore.LevelEnabler.
func (*reason) Enabled(level zapcore.Level) bool { return level >= zapcore.DPanicLevel }

// With implements zapcore.Core.
func (r *reason) With([]zapcore.Field) zapcore.Core { return r }

// Check implements zapcore.Core.
func (r *reason) Check(entry zapcore.Entry, checked *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	if r.Enabled(entry.Level) {
		return checked.AddCore(entry, r)
	}
	return checked
}

// Write implements zapcore.Core.
func (r *reason) Write(entry zapcore.Entry, fields []zapcore.Field) error {
	r.text = entry.Message
	for _, field := range fields {
		if err, ok := field.Interface.(error); ok {
			r.text += ": " + err.Error()
		}
	}
	return nil
}

// Sync implements zapcore.Core.
func (*reason) Sync() error { return nil }
