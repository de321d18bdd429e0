package embedded

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sirupsen/logrus"
)

// Options say how a node behaves. The zero value is a node in memory, without a listener and without keys.
type Options struct {
	// Dir is where the node keeps its data; empty for memory. Two nodes cannot share one.
	Dir string
	// MasterKey demands keys on every route; empty leaves all routes open.
	MasterKey string
	// Addr is where to listen, such as "127.0.0.1:0"; empty for no listener.
	Addr string
	// Version is what GET /version reports, "1.50.0" by default. Older ones than 1.40 behave as 1.21 where the two are
	// known to differ: capped totals, no customMetadata.
	Version string
	// Clock is the time of tasks, keys and tokens; time.Now by default.
	Clock func() time.Time
	// Window is how long the node gathers tasks before it works on them, 20 ms by default. Negative is not at all.
	Window time.Duration
	// MaxPayload is the greatest accepted body in bytes, 100 MiB by default.
	MaxPayload int64
	// DumpDir and SnapshotDir are where tasks of these kinds write files; with a Dir they are its directories dumps and
	// snapshots by default, without one there are none.
	DumpDir, SnapshotDir string
	// ImportDump and ImportSnapshot name a file to begin with, where the node holds nothing yet.
	ImportDump, ImportSnapshot string
	// WebhookURL hears about finished tasks, as a webhook that clients cannot change; WebhookAuthorization is its header.
	WebhookURL, WebhookAuthorization string
	// Even leaves out what makes real servers leak: their ranking scores depend on what else is in the index, because
	// denominators follow the readings of the query that its documents matched, and of the words that a typo or a prefix
	// leads to they take the first ones of their dictionary. A proxy that merges shards by _rankingScore goes wrong over
	// real servers, and over nodes without Even. The matching strategy "frequency" and the splitting of words follow the
	// index's own counts in either case.
	Even bool
	// Logger hears about what the node cannot tell a client; nil is silence.
	Logger logrus.FieldLogger
}

func (o Options) withDefaults() Options {
	if o.Version == "" {
		o.Version = "1.50.0"
	}
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.Window == 0 {
		o.Window = 20 * time.Millisecond
	}
	if o.MaxPayload <= 0 {
		o.MaxPayload = 100 << 20
	}
	if o.Dir != "" && o.DumpDir == "" {
		o.DumpDir = filepath.Join(o.Dir, "dumps")
	}
	if o.Dir != "" && o.SnapshotDir == "" {
		o.SnapshotDir = filepath.Join(o.Dir, "snapshots")
	}
	if o.Logger == nil {
		silent := logrus.New()
		silent.SetOutput(io.Discard)
		o.Logger = silent
	}
	return o
}

// ErrStopped is the error of a request to a node that is not running.
var ErrStopped = errors.New("node is stopped")

// Node is one embedded node. All methods may be called from any goroutine.
type Node struct {
	opt    Options
	faults Faults

	// lifecycle orders Stop, Restart and Close: between them a node in memory has neither core nor kept for a moment. It is
	// taken before mu.
	lifecycle sync.Mutex

	mu     sync.RWMutex
	core   *core // nil while stopped; kept in kept when there is no Dir
	kept   *core
	addr   string
	server *http.Server
	served chan struct{}
	clock  atomic.Pointer[func() time.Time]
}

// Start makes a node and lets it run. The error says what is wrong with the options, the directory or the address.
func Start(o Options) (*Node, error) {
	n := &Node{opt: o.withDefaults(), addr: o.Addr}
	n.SetClock(n.opt.Clock)
	if err := n.Restart(); err != nil {
		return nil, err
	}
	return n, nil
}

// Restart starts a stopped node again with its data and its address. A running node is stopped first.
func (n *Node) Restart() error {
	n.lifecycle.Lock()
	defer n.lifecycle.Unlock()
	n.stop()
	n.mu.Lock()
	defer n.mu.Unlock()
	c := n.kept
	if c == nil {
		var err error
		if c, err = openCore(n.opt, n.now, &n.faults); err != nil {
			return fmt.Errorf("start node: %w", err)
		}
	}
	if n.addr != "" {
		if err := n.listen(); err != nil {
			c.close()
			return fmt.Errorf("start node: %w", err)
		}
	}
	n.core, n.kept = c, nil
	c.start()
	return nil
}

func (n *Node) listen() error {
	l, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", n.addr)
	if err != nil {
		return err
	}
	n.addr = l.Addr().String() // the same port after a restart
	server := &http.Server{Handler: n.Handler(), ReadHeaderTimeout: time.Minute}
	served := make(chan struct{})
	go func() {
		defer close(served)
		if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			n.opt.Logger.WithError(err).Error("embedded node stopped listening")
		}
	}()
	n.server, n.served = server, served
	return nil
}

// Stop ends the node as a crash would: connections are cut, tasks that were not finished wait for Restart, requests that
// wait in a fault are lost. It returns when the node works on nothing any more. Stopping a stopped node does nothing.
func (n *Node) Stop() {
	n.lifecycle.Lock()
	defer n.lifecycle.Unlock()
	n.stop()
}

func (n *Node) stop() {
	n.mu.Lock()
	c, server, served := n.core, n.server, n.served
	n.core, n.server = nil, nil
	n.mu.Unlock()
	if server != nil {
		// the listener is closed even when this fails
		_ = server.Close()
		<-served
	}
	if c == nil {
		return
	}
	c.stop()
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.opt.Dir != "" {
		c.close()
		return
	}
	n.kept = c
}

// Close stops the node for good.
func (n *Node) Close() error {
	n.Stop()
	return nil
}

// URL is where the node listens, such as http://127.0.0.1:39245, or http://embedded for a node without a listener,
// which only Transport can reach.
func (n *Node) URL() string {
	n.mu.RLock()
	defer n.mu.RUnlock()
	if n.addr == "" {
		return "http://embedded"
	}
	return "http://" + n.addr
}

// SetClock changes the node's time; nil is time.Now.
func (n *Node) SetClock(clock func() time.Time) {
	if clock == nil {
		clock = time.Now
	}
	n.clock.Store(&clock)
}

func (n *Node) now() time.Time { return (*n.clock.Load())().UTC() }

// PauseTasks lets tasks wait in the queue until ResumeTasks, or Restart. The task being worked on is finished.
func (n *Node) PauseTasks() { n.setPaused(true) }

// ResumeTasks undoes PauseTasks.
func (n *Node) ResumeTasks() { n.setPaused(false) }

func (n *Node) setPaused(on bool) {
	if c, err := n.running(); err == nil {
		c.pause(on)
	}
}

// Idle waits until no task is enqueued or being worked on, or until ctx ends.
func (n *Node) Idle(ctx context.Context) error {
	c, err := n.running()
	if err != nil {
		return err
	}
	return c.idle(ctx)
}

// Faults are the node's planned misbehaviours.
func (n *Node) Faults() *Faults { return &n.faults }

func (n *Node) running() (*core, error) {
	n.mu.RLock()
	defer n.mu.RUnlock()
	if n.core == nil {
		return nil, ErrStopped
	}
	return n.core, nil
}

// Handler answers the API. While the node is stopped, connections are cut without an answer.
func (n *Node) Handler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := n.running()
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		n.faults.around(w, r, c)
	})
}

// TB is the part of testing.TB that RunT needs.
type TB interface {
	Helper()
	Cleanup(func())
	Fatalf(format string, args ...any)
}

// RunT starts a node for a test and closes it when the test ends. Without options it listens on a free port.
func RunT(t TB, options ...Options) *Node {
	t.Helper()
	o := Options{Addr: "127.0.0.1:0"}
	if len(options) > 0 {
		o = options[0]
	}
	n, err := Start(o)
	if err != nil {
		t.Fatalf("start embedded node: %v", err)
	}
	t.Cleanup(func() { _ = n.Close() })
	return n
}
