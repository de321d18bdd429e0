package fleet

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/miroir-search/miroir/embedded"
)

var buildFaulty = buildCommand("faultynode", "github.com/miroir-search/miroir/tests/fleet/faultynode")

// StartFaultyNode starts an embedded node with an empty directory whose tasks can
// misbehave.
func StartFaultyNode(t testing.TB, id string) *Node {
	t.Helper()
	dir, addr, control := t.TempDir(), freeAddr(t), freeAddr(t)
	n := &Node{ID: id, API: API{URL: "http://" + addr}, Dir: dir, Faults: API{URL: "http://" + control}}
	n.Process = newProcess(t, "node "+id, made(t, buildFaulty), []string{"-http-addr", addr, "-control-addr", control, "-db-path", filepath.Join(dir, "data")}, nil)
	n.Start(t)
	return n
}

// Misbehave plans a fault of a faulty node's tasks. A node that is not running
// forgets it.
func (n *Node) Misbehave(f embedded.TaskFault) error {
	body, err := json.Marshal(f)
	if err != nil {
		return err
	}
	return n.control(http.MethodPost, string(body))
}

// Behave removes the faults of a faulty node.
func (n *Node) Behave() error { return n.control(http.MethodDelete, "") }

func (n *Node) control(method, body string) error {
	a, err := n.Faults.Try(method, "/faults", body)
	if err == nil && a.Status != http.StatusOK {
		err = fmt.Errorf("faults of node %s: %d %s", n.ID, a.Status, a.Body)
	}
	return err
}

// Wipe removes the data of a node that is not running.
func (n *Node) Wipe(t testing.TB) {
	t.Helper()
	entries, err := os.ReadDir(n.Dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if err := os.RemoveAll(filepath.Join(n.Dir, e.Name())); err != nil {
			t.Fatal(err)
		}
	}
}

// End sends SIGTERM and waits for the end of the process; after limit it is
// killed, and the answer is false.
func (p *Process) End(limit time.Duration) bool {
	p.Terminate()
	select {
	case <-p.done:
		return true
	case <-time.After(limit):
		p.Kill()
		return false
	}
}

// Ended tells whether the process has ended.
func (p *Process) Ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// Terminate sends SIGTERM.
func (p *Process) Terminate() { _ = p.cmd.Process.Signal(syscall.SIGTERM) } // it may have ended by itself
