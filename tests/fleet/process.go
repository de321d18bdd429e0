package fleet

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// buildWith gives a function that builds the miroir command with more arguments
// for the compiler, once per test run.
func buildWith(name string, args ...string) func() (string, error) {
	return buildCommand(name, "github.com/miroir-search/miroir/cmd/miroir", args...)
}

// buildCommand is buildWith for any command.
func buildCommand(name, pkg string, args ...string) func() (string, error) {
	return sync.OnceValues(func() (string, error) {
		dir, err := binaries()
		if err != nil {
			return "", err
		}
		bin := filepath.Join(dir, name)
		args := append([]string{"build", "-o", bin}, args...)
		if os.Getenv("MIROIR_RACE") != "" {
			args = append(args, "-race")
		}
		out, err := exec.CommandContext(context.Background(), "go", append(args, pkg)...).CombinedOutput()
		if err != nil {
			return "", fmt.Errorf("build %s: %w\n%s", name, err, out)
		}
		return bin, nil
	})
}

var (
	build         = buildWith("miroir")
	buildWeakened = buildWith("miroir-weakened", "-tags", "weaken")
)

// binaries is the directory of what was built.
var binaries = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "miroir-fleet-")
	if err == nil {
		built.Store(&dir)
	}
	return dir, err
})

// built is the directory of the binaries once there is one.
var built atomic.Pointer[string]

// Binary builds the miroir command, once per test run, and gives its path.
// MIROIR_RACE=1 builds it with the race detector.
func Binary(t testing.TB) string {
	t.Helper()
	return made(t, build)
}

func made(t testing.TB, build func() (string, error)) string {
	t.Helper()
	bin, err := build()
	if err != nil {
		t.Fatal(err)
	}
	return bin
}

// Cleanup removes the binary; call it at the end of TestMain.
func Cleanup() {
	if dir := built.Load(); dir != nil {
		_ = os.RemoveAll(*dir) // a leftover in the temporary directory harms nobody
	}
}

// Process is a command that runs beside the test. It is killed by its pid when
// the test ends, and its last log lines are shown when the test failed.
type Process struct {
	Name string
	path string
	args []string
	env  []string
	log  logBuffer
	cmd  *exec.Cmd
	done chan struct{}
	err  error
}

// newProcess describes a command; start runs it.
func newProcess(t testing.TB, name, path string, args, env []string) *Process {
	p := &Process{Name: name, path: path, args: args, env: env}
	t.Cleanup(func() {
		p.Kill()
		if t.Failed() {
			t.Logf("last log lines of %s:\n%s", p.Name, p.log.tail(4000))
		}
	})
	return p
}

// Launch runs the process without waiting for anything.
func (p *Process) Launch(t testing.TB) { t.Helper(); p.start(t) }

func (p *Process) start(t testing.TB) {
	t.Helper()
	p.cmd = exec.Command(p.path, p.args...)
	p.cmd.Env = append(os.Environ(), p.env...)
	p.cmd.Stdout, p.cmd.Stderr = &p.log, &p.log
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := p.cmd.Start(); err != nil {
		t.Fatalf("start %s: %v", p.Name, err)
	}
	cmd, done := p.cmd, make(chan struct{})
	p.done = done
	go func() {
		p.err = cmd.Wait()
		close(done)
	}()
}

// PID is the id of the process that runs.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Kill ends the process with SIGKILL and waits for its end.
func (p *Process) Kill() {
	if p.cmd == nil {
		return
	}
	_ = p.cmd.Process.Kill() // it may have ended by itself
	<-p.done
}

// Stop sends SIGTERM and gives the exit code; the test fails when the process
// is still there after limit.
func (p *Process) Stop(t testing.TB, limit time.Duration) int {
	t.Helper()
	p.signal(t, syscall.SIGTERM)
	return p.Wait(t, limit)
}

// Wait waits for the process to end by itself and gives the exit code.
func (p *Process) Wait(t testing.TB, limit time.Duration) int {
	t.Helper()
	select {
	case <-p.done:
	case <-time.After(limit):
		t.Fatalf("%s has not ended within %v", p.Name, limit)
	}
	var exit *exec.ExitError
	if errors.As(p.err, &exit) {
		return exit.ExitCode()
	}
	return 0
}

// Freeze stops the process as a hanging machine would; Thaw lets it go on.
func (p *Process) Freeze(t testing.TB) { t.Helper(); p.signal(t, syscall.SIGSTOP) }

// Thaw ends Freeze.
func (p *Process) Thaw(t testing.TB) { t.Helper(); p.signal(t, syscall.SIGCONT) }

func (p *Process) signal(t testing.TB, s os.Signal) {
	t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		t.Fatalf("send %v to %s: %v", s, p.Name, err)
	}
}

// Log is what the process has written so far.
func (p *Process) Log() string { return p.log.tail(1 << 30) }

// logBuffer keeps what processes write.
type logBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

// Write keeps a line.
func (l *logBuffer) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(b)
}

func (l *logBuffer) tail(n int) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	b := l.buf.Bytes()
	return string(b[max(0, len(b)-n):])
}

// freeAddr is a free address below the ports that systems give to outgoing
// connections, so that a process that was killed finds its port free again. While the
// test runs no other test gets it, in other test programs neither: the UDP port of the
// same number is held for that.
func freeAddr(t testing.TB) string {
	t.Helper()
	for range 1000 {
		addr := "127.0.0.1:" + strconv.Itoa(12000+rand.IntN(18000))
		held, err := net.ListenPacket("udp", addr) //nolint:noctx // loopback
		if err != nil {
			continue
		}
		l, err := net.Listen("tcp", addr) //nolint:noctx // loopback
		if err != nil {
			_ = held.Close()
			continue
		}
		_ = l.Close()
		t.Cleanup(func() { _ = held.Close() })
		return addr
	}
	t.Fatal("no free port")
	return ""
}
