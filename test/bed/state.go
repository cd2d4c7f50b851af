// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package bed

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"syscall"
	"time"

	"ksit.io/ksit/test/bed/internal/process"
)

const (
	bedsDir    = "beds"
	stateFile  = "bed.json"
	ledgerFile = "processes"
)

// State is what a running bed tells other processes about itself.
type State struct {
	Name string `json:"name"`
	Dir  string `json:"dir"`
	// Ready is false while the bed is coming up.
	Ready bool `json:"ready"`
	// Owner is the process that holds the bed and stops it on SIGTERM.
	Owner process.Identity `json:"owner"`
	// Clusters begin with the host.
	Clusters     []ClusterState `json:"clusters"`
	ChartsURL    string         `json:"chartsURL"`
	RewritesFile string         `json:"rewritesFile"`
	BinDir       string         `json:"binDir"`
}

// ClusterState is a Cluster as seen from another process.
type ClusterState struct {
	Name       string `json:"name"`
	Kubeconfig string `json:"kubeconfig"`
	Server     string `json:"server"`
}

func (b *Bed) writeState(ready bool) error {
	owner, err := process.Self()
	if err != nil {
		return err
	}
	state := State{
		Name: b.Name, Dir: b.Dir, Ready: ready, Owner: owner,
		ChartsURL: b.Charts.URL, RewritesFile: b.RewritesFile, BinDir: b.Tools.BinDir,
	}
	for _, c := range b.clusters() {
		state.Clusters = append(state.Clusters, ClusterState{Name: c.Name, Kubeconfig: c.Kubeconfig, Server: c.Server})
	}
	data, err := json.MarshalIndent(state, "", "  ")
	if err != nil {
		return err
	}
	// Renamed into place, so that a reader never sees half of it.
	path := filepath.Join(b.Dir, stateFile)
	if err := os.WriteFile(path+".new", data, 0o600); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

// ErrNotRunning is returned when there is no running bed of a name.
var ErrNotRunning = errors.New("no such bed is running")

// Find returns the state of the running bed with the given name below dir, or
// the default directory if that is empty.
func Find(dir, name string) (*State, error) {
	dir, err := directory(dir)
	if err != nil {
		return nil, err
	}
	return readState(filepath.Join(dir, bedsDir, name))
}

// List returns the states of all running beds below dir.
func List(dir string) ([]*State, error) {
	dir, err := directory(dir)
	if err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(filepath.Join(dir, bedsDir))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var states []*State
	for _, entry := range entries {
		state, err := readState(filepath.Join(dir, bedsDir, entry.Name()))
		if errors.Is(err, ErrNotRunning) {
			continue
		}
		if err != nil {
			return nil, err
		}
		states = append(states, state)
	}
	return states, nil
}

func readState(dir string) (*State, error) {
	data, err := os.ReadFile(filepath.Join(dir, stateFile))
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return nil, ErrNotRunning
	}
	if err != nil {
		return nil, err
	}
	state := &State{}
	if err := json.Unmarshal(data, state); err != nil {
		return nil, fmt.Errorf("reading the state of the bed in %s: %w", dir, err)
	}
	if !state.Owner.Alive() {
		return nil, ErrNotRunning
	}
	return state, nil
}

// Down stops the bed with the given name below dir: the process that holds it
// is asked to, and killed if it does not obey; then whatever is left is killed.
// It returns ErrNotRunning if there was nothing to stop.
func Down(ctx context.Context, dir, name string) error {
	dir, err := directory(dir)
	if err != nil {
		return err
	}
	bedDir := filepath.Join(dir, bedsDir, name)
	state, stateErr := readState(bedDir)
	if stateErr == nil {
		if err := state.stopOwner(ctx); err != nil {
			return err
		}
	}
	killed, err := remove(bedDir)
	if err != nil {
		return err
	}
	if len(killed) == 0 {
		return stateErr
	}
	return nil
}

func (s *State) stopOwner(ctx context.Context) error {
	if err := s.Owner.Signal(syscall.SIGTERM); err != nil {
		return fmt.Errorf("stopping the bed %s, process %d: %w", s.Name, s.Owner.Pid, err)
	}
	deadline := time.Now().Add(45 * time.Second)
	for s.Owner.Alive() {
		if time.Now().After(deadline) || ctx.Err() != nil {
			return s.Owner.Signal(syscall.SIGKILL)
		}
		time.Sleep(50 * time.Millisecond)
	}
	return nil
}

// claim is the exclusive right to a name. It ends with release or with the
// process, and only then may others touch the directory.
type claim struct {
	name, dir string
	lock      *os.File
}

var validName = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$`)

// claimName takes the name, or makes one up.
func claimName(dir, name string) (*claim, error) {
	if name == "" {
		random := make([]byte, 5)
		if _, err := rand.Read(random); err != nil {
			return nil, err
		}
		name = "bed-" + hex.EncodeToString(random)
	}
	if !validName.MatchString(name) {
		return nil, fmt.Errorf("the name of a bed must be a DNS label, which %q is not", name)
	}
	bedDir := filepath.Join(dir, bedsDir, name)
	if err := os.MkdirAll(filepath.Dir(bedDir), 0o700); err != nil {
		return nil, fmt.Errorf("making the directory of beds: %w", err)
	}
	lock, err := tryLock(bedDir)
	if err != nil {
		return nil, err
	}
	if lock == nil {
		return nil, fmt.Errorf("a bed named %s is running already; give this one another name, or stop that one with bed down --name %s", name, name)
	}
	// What a bed of that name left behind when it was killed or kept its data.
	if _, err := clearDir(bedDir); err != nil {
		_ = lock.Close()
		return nil, err
	}
	if err := os.MkdirAll(bedDir, 0o700); err != nil {
		_ = lock.Close()
		return nil, fmt.Errorf("making the directory of the bed: %w", err)
	}
	return &claim{name: name, dir: bedDir, lock: lock}, nil
}

func (c *claim) ledger() *process.Ledger {
	return process.NewLedger(filepath.Join(c.dir, ledgerFile))
}

func (c *claim) release(keep bool) error {
	var err error
	if keep {
		err = os.Remove(filepath.Join(c.dir, stateFile))
		if errors.Is(err, fs.ErrNotExist) {
			err = nil
		}
	} else {
		err = errors.Join(os.RemoveAll(c.dir), os.Remove(c.lock.Name()))
	}
	return errors.Join(err, c.lock.Close())
}

// abandon leaves the directory to the next sweep, as the death of the process
// would.
func (c *claim) abandon() error { return c.lock.Close() }

// tryLock locks the bed's directory, which need not exist: the lock is a file
// beside it. It returns nil if another process holds the lock.
func tryLock(bedDir string) (*os.File, error) {
	f, err := os.OpenFile(bedDir+".lock", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("locking the bed's directory: %w", err)
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if err == nil && !stillAt(f) {
		// The bed that held the lock has just been closed and has removed
		// the file: what was locked is no longer what others would lock.
		_ = f.Close()
		return tryLock(bedDir)
	}
	if err == nil {
		return f, nil
	}
	_ = f.Close()
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return nil, nil
	}
	return nil, fmt.Errorf("locking the bed's directory: %w", err)
}

// stillAt reports whether the open file is the one that its name leads to.
func stillAt(f *os.File) bool {
	opened, err := f.Stat()
	if err != nil {
		return false
	}
	named, err := os.Stat(f.Name())
	return err == nil && os.SameFile(opened, named)
}

// remove clears up after a bed whose owner is gone and returns the names of
// the processes that it still found. It waits for an owner who is just going.
func remove(bedDir string) ([]string, error) {
	deadline := time.Now().Add(10 * time.Second)
	for {
		if _, err := os.Stat(bedDir + ".lock"); errors.Is(err, fs.ErrNotExist) {
			return nil, nil
		}
		lock, err := tryLock(bedDir)
		if err != nil {
			return nil, err
		}
		if lock != nil {
			return killLeft(bedDir, lock)
		}
		if time.Now().After(deadline) {
			return nil, fmt.Errorf("the bed in %s is held by a process that does not stop it", bedDir)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// clearDir removes what is left of a bed; the caller holds its lock.
func clearDir(bedDir string) ([]string, error) {
	killed, err := process.NewLedger(filepath.Join(bedDir, ledgerFile)).KillAll(10 * time.Second)
	if err != nil {
		return killed, err
	}
	if err := removeCgroups(cgroupOf(filepath.Base(bedDir)), 10*time.Second); err != nil {
		return killed, err
	}
	return killed, os.RemoveAll(bedDir)
}

// killLeft removes what is left of a bed and gives up its lock for good.
func killLeft(bedDir string, lock *os.File) ([]string, error) {
	killed, err := clearDir(bedDir)
	if err == nil {
		err = os.Remove(lock.Name())
	}
	return killed, errors.Join(err, lock.Close())
}

// sweep removes what killed beds have left below dir. Beds that were closed
// with KeepData have no state and are spared.
func sweep(dir string) error {
	states, err := filepath.Glob(filepath.Join(dir, bedsDir, "*", stateFile))
	if err != nil {
		return err
	}
	for _, state := range states {
		bedDir := filepath.Dir(state)
		lock, err := tryLock(bedDir)
		if err != nil {
			return err
		}
		if lock == nil {
			continue
		}
		if _, err := killLeft(bedDir, lock); err != nil {
			return fmt.Errorf("removing what is left of the bed in %s: %w", bedDir, err)
		}
	}
	return nil
}
