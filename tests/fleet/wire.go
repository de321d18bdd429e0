package fleet

import (
	"net"
	"net/url"
	"sync"
	"testing"
)

// WireMode is how a wire treats what passes.
type WireMode int

// The modes of a wire.
const (
	// Whole passes everything.
	Whole WireMode = iota
	// Cut closes all connections and refuses new ones.
	Cut
	// Mute passes requests and breaks the connection instead of passing an answer.
	Mute
	// Stuck holds everything back until the mode changes; then it arrives late,
	// also when its sender has left.
	Stuck
)

// Wire carries the connections to one process, byte by byte, and can break them.
type Wire struct {
	URL string

	target  string
	mu      sync.Mutex
	changed *sync.Cond
	mode    WireMode
	conns   map[net.Conn]struct{}
	closed  bool
}

// NewWire starts a wire to the server at a URL. It ends with the test.
func NewWire(t testing.TB, to string) *Wire {
	t.Helper()
	target, err := url.Parse(to)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // loopback
	if err != nil {
		t.Fatal(err)
	}
	w := &Wire{URL: "http://" + l.Addr().String(), target: target.Host, conns: map[net.Conn]struct{}{}}
	w.changed = sync.NewCond(&w.mu)
	var running sync.WaitGroup
	running.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return // closed
			}
			running.Go(func() { w.carry(c) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		w.mu.Lock()
		w.closed = true
		w.mu.Unlock()
		w.Set(Cut)
		running.Wait()
	})
	return w
}

// Set changes the mode.
func (w *Wire) Set(m WireMode) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.mode = m
	if m == Cut {
		for c := range w.conns {
			_ = c.Close()
		}
		clear(w.conns)
	}
	w.changed.Broadcast()
}

// carry connects one client with the server until one of them ends.
func (w *Wire) carry(client net.Conn) {
	defer func() { _ = client.Close() }()
	if !w.hold(client) {
		return
	}
	server, err := net.Dial("tcp", w.target) //nolint:noctx // loopback
	if err != nil {
		return
	}
	defer func() { _ = server.Close() }()
	if !w.hold(server) {
		return
	}
	defer w.drop(client, server)
	var both sync.WaitGroup
	both.Go(func() { w.copy(server, client, false) })
	both.Go(func() { w.copy(client, server, true) })
	both.Wait()
}

// hold registers a connection, unless the wire is cut.
func (w *Wire) hold(c net.Conn) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.mode == Cut {
		return false
	}
	w.conns[c] = struct{}{}
	return true
}

func (w *Wire) drop(conns ...net.Conn) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range conns {
		delete(w.conns, c)
	}
}

// copy passes bytes as the mode allows. The end of a client's bytes is passed on
// behind them; the end of an answer ends both.
func (w *Wire) copy(to, from net.Conn, answer bool) {
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		mode := w.await()
		if n > 0 && (mode == Cut || mode == Mute && answer) {
			_ = from.Close()
			_ = to.Close()
			return
		}
		if n > 0 {
			if _, werr := to.Write(buf[:n]); werr != nil {
				_ = from.Close()
				return
			}
		}
		if err == nil {
			continue
		}
		if tcp, ok := to.(*net.TCPConn); ok && !answer {
			_ = tcp.CloseWrite()
		} else {
			_ = to.Close()
			_ = from.Close()
		}
		return
	}
}

// await gives the mode once it is not Stuck.
func (w *Wire) await() WireMode {
	w.mu.Lock()
	defer w.mu.Unlock()
	for w.mode == Stuck && !w.closed {
		w.changed.Wait()
	}
	return w.mode
}
