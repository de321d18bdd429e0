package tests

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/miroir-search/miroir/tests/fleet"
)

// fleetShape is a configuration of a fleet: nodes by group, and copies.
type fleetShape struct {
	groups []string // "a0 a1"
	copies int
}

// The fleet is changed by its configuration while clients read and write: no read
// fails, no write is lost, copies are equal afterwards and nothing is left over.
func TestTheFleetChangesUnderLoad(t *testing.T) {
	ways := map[string][]fleetShape{
		"nodes more and less, copies more and less, a node for another": {
			{[]string{"a0 a1", "b0 b1"}, 1}, {[]string{"a0 a1 a2", "b0 b1 b2"}, 1}, {[]string{"a0 a1", "b0 b1"}, 2}, {[]string{"a0 a3", "b0 b1"}, 1},
		},
	}
	docs := 200
	if os.Getenv("MIROIR_LONG") != "" {
		docs = 2000
		ways["an empty node for another"] = []fleetShape{{[]string{"a0 a1", "b0 b1"}, 1}, {[]string{"a0 a2", "b0 b1"}, 1}}
		ways["a copy more and back"] = []fleetShape{{[]string{"a0 a1", "b0 b1"}, 1}, {[]string{"a0 a1", "b0 b1"}, 2}, {[]string{"a0 a1", "b0 b1"}, 1}}
		ways["a node more in each group and back"] = []fleetShape{{[]string{"a0 a1", "b0 b1"}, 1}, {[]string{"a0 a1 a2", "b0 b1 b2"}, 1}, {[]string{"a0 a1", "b0 b1"}, 1}}
		ways["a group more and back"] = []fleetShape{{[]string{"a0 a1"}, 1}, {[]string{"a0 a1", "b0 b1"}, 1}, {[]string{"a0 a1"}, 1}}
	}
	for name, way := range ways {
		t.Run(name, func(t *testing.T) { changeUnderLoad(t, way, docs) })
	}
}

func changeUnderLoad(t *testing.T, way []fleetShape, docs int) {
	f := fleet.Start(t, fleet.Options{Groups: len(way[0].groups)})
	f.Write(t, "POST", docsPath, made(0, docs))
	l := &steadyLoad{t: t, url: f.API, docs: docs, acked: map[string]int{}}
	l.start()
	for _, a := range way[1:] {
		f.Arrange(t, a.groups, a.copies)
		f.Restart(t)
		fleet.Eventually(t, 90*time.Second, "the end of the move", func() error {
			var top struct{ Move json.RawMessage }
			f.Get(t, "/_miroir/topology", &top)
			if len(top.Move) > 0 {
				return fmt.Errorf("it is at %s", top.Move)
			}
			return nil
		})
	}
	l.stop()
	if l.reads.Load() < 20 || len(l.acked) == 0 {
		t.Errorf("%d reads and %d documents written: no load", l.reads.Load(), len(l.acked))
	}
	f.Succeeded(t, l.last)
	for id, round := range l.acked {
		var doc struct{ Round int }
		f.Get(t, docsPath+"/"+id, &doc)
		if doc.Round < round {
			t.Errorf("document %s is of round %d, and round %d was acknowledged", id, doc.Round, round)
		}
	}
	t.Logf("%d reads, %d writes acknowledged, lost: 0 unless said above", l.reads.Load(), l.writes.Load())
	liesRight(t, f, way[len(way)-1].copies*(docs+len(l.acked)))
}

// steadyLoad reads and writes until it is stopped. While the proxy is being restarted
// connections are refused, and tried again.
type steadyLoad struct {
	t             *testing.T
	url           fleet.API
	docs          int
	reads, writes atomic.Int64
	over          atomic.Bool
	clients       sync.WaitGroup
	mu            sync.Mutex
	acked         map[string]int // by id: the newest round that was acknowledged
	last          int64          // the newest task; those of an index end in their order
}

func (l *steadyLoad) start() {
	for w := range 2 {
		l.clients.Go(func() { l.write(fmt.Sprintf("w%d", w)) })
		l.clients.Go(func() { l.read(w) })
	}
}

func (l *steadyLoad) stop() {
	l.over.Store(true)
	l.clients.Wait()
}

// restarting reports whether an error may come from the restart of the proxy.
func restarting(err error) bool {
	return errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, syscall.ECONNRESET) || strings.Contains(err.Error(), "EOF")
}

func (l *steadyLoad) write(id string) {
	for round := 1; !l.over.Load(); round++ {
		a, err := l.url.Try("POST", docsPath, fmt.Sprintf(`[{"id":%q,"round":%d,"title":"written"}]`, id, round))
		switch {
		case err != nil && restarting(err):
			time.Sleep(20 * time.Millisecond)
			continue
		case err != nil:
			l.t.Errorf("write: %v", err)
			return
		case a.Status != 202:
			// Right after a start nodes may not have been looked at yet.
			if a.Code() != "miroir_no_quorum" {
				l.t.Errorf("write: %d %s", a.Status, a.Body)
				return
			}
			time.Sleep(20 * time.Millisecond)
			continue
		}
		l.writes.Add(1)
		l.mu.Lock()
		l.acked[id], l.last = round, max(l.last, a.TaskUID())
		l.mu.Unlock()
		time.Sleep(5 * time.Millisecond)
	}
}

func (l *steadyLoad) read(first int) {
	for i := first; !l.over.Load(); i++ {
		id := i % l.docs
		a, err := l.url.Try("POST", searchPath, fmt.Sprintf(`{"q":"\"%s\""}`, ownWord(id)))
		switch {
		case err != nil && restarting(err):
			time.Sleep(20 * time.Millisecond)
			continue
		case err != nil || a.Status != 200 || !strings.Contains(string(a.Body), `"estimatedTotalHits":1`) || a.Degraded() != "":
			l.t.Errorf("read of %d: %v %+v", id, err, a)
			return
		}
		l.reads.Add(1)
		time.Sleep(5 * time.Millisecond)
	}
}

// liesRight looks at the nodes themselves: each group holds every document as often
// as there are copies, and nodes that have left hold nothing.
func liesRight(t *testing.T, f *fleet.Fleet, perGroup int) {
	t.Helper()
	fleet.Eventually(t, 60*time.Second, "everything in its place", func() error {
		sum, there := map[int]int{}, map[int]bool{}
		for _, n := range f.Nodes {
			held := documentsOf(t, n)
			if n.Left && held > 0 {
				return fmt.Errorf("node %s has left and holds %d documents", n.ID, held)
			}
			sum[n.Group] += held
			there[n.Group] = there[n.Group] || !n.Left
		}
		for g, n := range sum {
			if there[g] && n != perGroup {
				return fmt.Errorf("group %d holds %d documents, want %d", g, n, perGroup)
			}
		}
		return nil
	})
}
