// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package etcd

import (
	"context"
	"fmt"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"k8s.io/klog/v2"
)

// Maintenance says when space is given back to the disk. Zero values are the
// defaults.
type Maintenance struct {
	// Interval is the time between two looks at the database; 30 s.
	Interval time.Duration
	// DefragMinBytes is the size below which a database is left alone; 64 MiB.
	DefragMinBytes int64
	// DefragFreeRatio is the share of the file that must be free; 0.5.
	DefragFreeRatio float64
}

func (m Maintenance) withDefaults() Maintenance {
	if m.Interval <= 0 {
		m.Interval = 30 * time.Second
	}
	if m.DefragMinBytes <= 0 {
		m.DefragMinBytes = 64 << 20
	}
	if m.DefragFreeRatio <= 0 {
		m.DefragFreeRatio = 0.5
	}
	return m
}

// rearmRatio is how full the database may be, of its quota, for writes to be let
// in again after the quota was spent. Some room keeps the alarm from flapping.
const rearmRatio = 0.9

// alarmTimeout bounds the request that takes an alarm back.
const alarmTimeout = 10 * time.Second

// Status is how full the database is.
type Status struct {
	// SizeBytes is the size of the database file.
	SizeBytes int64
	// InUseBytes is how much of it holds data; the rest is free for reuse.
	InUseBytes int64
	// QuotaBytes is the size at which writes are refused.
	QuotaBytes int64
	// NoSpace is whether writes are refused because the quota was spent.
	NoSpace bool
	// Corrupt is whether etcd found its data damaged.
	Corrupt bool
}

func (s Status) fragmented(m Maintenance) bool {
	if s.SizeBytes < m.DefragMinBytes {
		return false
	}
	return float64(s.SizeBytes-s.InUseBytes) >= m.DefragFreeRatio*float64(s.SizeBytes)
}

// Status reads how full the database is. It is cheap.
func (s *Server) Status() Status {
	backend := s.etcd.Server.Backend()
	status := Status{
		SizeBytes:  backend.Size(),
		InUseBytes: backend.SizeInUse(),
		QuotaBytes: s.quota,
	}
	for _, alarm := range s.etcd.Server.Alarms() {
		switch alarm.GetAlarm() {
		case pb.AlarmType_NOSPACE:
			status.NoSpace = true
		case pb.AlarmType_CORRUPT:
			status.Corrupt = true
		}
	}
	return status
}

// Check returns an error that says what to do when the server cannot take
// writes. It is meant for a readiness check.
func (s *Server) Check() error {
	select {
	case <-s.Done():
		return fmt.Errorf("etcd has stopped")
	default:
	}
	status := s.Status()
	switch {
	case status.Corrupt:
		return fmt.Errorf("etcd found its data damaged: restore a backup")
	case status.NoSpace:
		return fmt.Errorf("etcd is full: %d of %d bytes, %d in use; delete objects, or start with a larger quota",
			status.SizeBytes, status.QuotaBytes, status.InUseBytes)
	}
	return nil
}

// maintain looks at the database until ctx is done.
func (s *Server) maintain(ctx context.Context, m Maintenance) {
	ticker := time.NewTicker(m.Interval)
	defer ticker.Stop()
	for {
		if err := s.tidy(ctx, m); err != nil {
			klog.FromContext(ctx).Error(err, "Maintaining etcd")
		}
		select {
		case <-ctx.Done():
			return
		case <-s.Done():
			return
		case <-ticker.C:
		}
	}
}

// tidy reports what it finds, defragments when that pays, and lets writes in
// again when a spent quota has room again.
func (s *Server) tidy(ctx context.Context, m Maintenance) error {
	status := s.Status()
	// Before anything is repaired: defragmentation takes its time, during which
	// the alarm is on, and a repair that fails must not hide what it was for.
	s.metrics.observe(status)
	if status.NoSpace || status.SizeBytes >= m.DefragMinBytes {
		// What was deleted counts as free once a later transaction has begun, and
		// with writes refused, or nobody writing, none begins by itself.
		s.etcd.Server.Backend().ForceCommit()
		s.etcd.Server.Backend().ForceCommit()
		status = s.Status()
	}
	// With the quota spent, any free byte is worth having.
	if status.fragmented(m) || status.NoSpace && status.InUseBytes < status.SizeBytes {
		if err := s.Defragment(ctx); err != nil {
			return err
		}
		status = s.Status()
	}
	if status.NoSpace && float64(status.SizeBytes) < rearmRatio*float64(status.QuotaBytes) {
		if err := s.disarm(ctx); err != nil {
			return err
		}
		status = s.Status()
	}
	s.metrics.observe(status)
	return nil
}

// Defragment rewrites the database without its free space. Requests wait while
// it runs: some seconds per GiB in use.
func (s *Server) Defragment(ctx context.Context) error {
	before := s.Status()
	start := time.Now()
	if err := s.etcd.Server.Defragment(); err != nil {
		return fmt.Errorf("defragmenting the database: %w", err)
	}
	took := time.Since(start)
	s.metrics.defragmented(took)
	klog.FromContext(ctx).Info("Defragmented etcd", "duration", took,
		"bytesBefore", before.SizeBytes, "bytesAfter", s.Status().SizeBytes)
	return nil
}

// disarm takes the alarm of a spent quota back, which lets writes in again.
func (s *Server) disarm(ctx context.Context) error {
	// It may be carried out although nobody waits for it any more.
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("taking back the alarm of the space quota: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, alarmTimeout)
	defer cancel()
	_, err := s.etcd.Server.Alarm(ctx, &pb.AlarmRequest{
		Action:   pb.AlarmRequest_DEACTIVATE,
		MemberID: uint64(s.etcd.Server.MemberID()),
		Alarm:    pb.AlarmType_NOSPACE,
	})
	if err != nil {
		return fmt.Errorf("taking back the alarm of the space quota: %w", err)
	}
	klog.FromContext(ctx).Info("etcd has room again and takes writes")
	return nil
}
