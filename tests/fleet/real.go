// Package fleet starts what the black-box tests run against: Meilisearch nodes,
// real ones when MEILISEARCH_BIN names a server and embedded ones otherwise, and
// a Miroir in front of them.
package fleet

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// Real is one real Meilisearch process on loopback.
type Real struct {
	URL  string
	Dir  string
	bin  string
	addr string
	cmd  *exec.Cmd
}

// RealBinary is the server that MEILISEARCH_BIN names; the test is skipped
// without one.
func RealBinary(t testing.TB) string {
	t.Helper()
	bin := os.Getenv("MEILISEARCH_BIN")
	if bin == "" {
		t.Skip("MEILISEARCH_BIN names no Meilisearch server, so nothing is compared with a real one")
	}
	return bin
}

// StartReal starts a server on a free port with an empty directory. It is
// stopped by its pid when the test ends.
func StartReal(t testing.TB, bin string) *Real {
	t.Helper()
	r := &Real{Dir: t.TempDir(), bin: bin, addr: freeAddr(t)}
	r.URL = "http://" + r.addr
	r.Start(t)
	t.Cleanup(r.Kill)
	return r
}

// Start starts the process, again after Kill, and waits until it answers.
func (r *Real) Start(t testing.TB) {
	t.Helper()
	r.cmd = exec.Command(r.bin, "--http-addr", r.addr, "--db-path", filepath.Join(r.Dir, "data"), //nolint:gosec // the developer's own binary
		"--dump-dir", filepath.Join(r.Dir, "dumps"), "--snapshot-dir", filepath.Join(r.Dir, "snapshots"), "--no-analytics", "--log-level", "ERROR")
	r.cmd.Dir = r.Dir
	r.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := r.cmd.Start(); err != nil {
		t.Fatalf("start %s: %v", r.bin, err)
	}
	WaitHealthy(t, r.URL)
}

// PID is the id of the running process.
func (r *Real) PID() int { return r.cmd.Process.Pid }

// Kill ends the process with SIGKILL.
func (r *Real) Kill() {
	if r.cmd != nil && r.cmd.Process != nil {
		_ = r.cmd.Process.Kill() // it may have ended by itself
		_ = r.cmd.Wait()
	}
}

// WaitHealthy waits until GET /health of a server answers 200.
func WaitHealthy(t testing.TB, url string) {
	t.Helper()
	Eventually(t, 20*time.Second, "healthy "+url, func() error {
		resp, err := http.Get(url + "/health") //nolint:noctx // short and bounded by the server's port
		if err != nil {
			return err
		}
		defer func() { _ = resp.Body.Close() }()
		if resp.StatusCode != http.StatusOK {
			return fmt.Errorf("status %d", resp.StatusCode)
		}
		return nil
	})
}

// Eventually calls f until it returns nil, and fails the test when that takes
// longer than limit.
func Eventually(t testing.TB, limit time.Duration, what string, f func() error) {
	t.Helper()
	deadline := time.Now().Add(limit)
	for {
		err := f()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within %v: %v", what, limit, err)
		}
		time.Sleep(10 * time.Millisecond)
	}
}
