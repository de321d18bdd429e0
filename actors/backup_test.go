package actors

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miroir-search/miroir/api"
	"github.com/miroir-search/miroir/embedded"
	"github.com/miroir-search/miroir/messages"
	"github.com/miroir-search/miroir/nodeclient"
	"github.com/miroir-search/miroir/store"
	"github.com/miroir-search/miroir/topology"
)

// newBackedUpFleet is a fleet whose nodes keep their data and their dumps in
// directories of their own.
func newBackedUpFleet(t *testing.T, groups, perGroup, copies int, change ...func(*Options)) *fleet {
	t.Helper()
	base := t.TempDir()
	place := func(o *Options) {
		o.DumpDir, o.SnapshotDir = filepath.Join(base, "dumps"), filepath.Join(base, "snapshots")
	}
	f := &fleet{t: t, dir: t.TempDir(), base: base}
	f.startOver(t, groups, perGroup, copies, append([]func(*Options){place}, change...), func(id string) embedded.Options {
		return embedded.Options{Dir: filepath.Join(base, "nodes", id)}
	})
	return f
}

func (f *fleet) manifest(dir string) *manifest {
	f.t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, manifestName))
	if err != nil {
		f.t.Fatal(err)
	}
	m := &manifest{}
	if err := json.Unmarshal(data, m); err != nil {
		f.t.Fatal(err)
	}
	return m
}

// restored starts new nodes and a cluster from a backup of f.
func (f *fleet) restored(dir string) *fleet {
	f.t.Helper()
	m := f.manifest(dir)
	g := &fleet{t: f.t, dir: filepath.Join(f.t.TempDir(), "store"), base: f.t.TempDir()}
	if err := os.CopyFS(g.dir, os.DirFS(filepath.Join(dir, stateDir))); err != nil {
		f.t.Fatal(err)
	}
	files := map[string]embedded.Options{}
	for _, n := range m.Nodes {
		o := embedded.Options{Dir: filepath.Join(g.base, "nodes", n.ID)}
		if m.Kind == kindDump {
			o.ImportDump = filepath.Join(f.base, "nodes", n.ID, "dumps", n.DumpUID+".dump")
		} else {
			o.ImportSnapshot = filepath.Join(f.base, "nodes", n.ID, "snapshots", "data.ms.snapshot")
		}
		files[n.ID] = o
	}
	groups := f.c.newest.Groups()
	g.startOver(f.t, groups, len(m.Nodes)/groups, m.ReplicationFactor, nil, func(id string) embedded.Options { return files[id] })
	return g
}

func backingUp(snapshot bool) *messages.MakeBackup { return &messages.MakeBackup{Snapshot: snapshot} }

// writers write numbered documents into two indexes until stop is set. They
// return what was acknowledged before began was set, and what was sent after
// ordered was.
type writers struct {
	mu              sync.Mutex
	before, after   map[string]bool
	began, ordered  atomic.Bool
	stop            atomic.Bool
	running         sync.WaitGroup
	acknowledgments atomic.Int64
}

func (f *fleet) startWriters(n int) *writers {
	w := &writers{before: map[string]bool{}, after: map[string]bool{}}
	for i := range n {
		index := fmt.Sprintf("index%d", i%2)
		w.running.Go(func() {
			for k := 0; !w.stop.Load(); k++ {
				id := fmt.Sprintf("w%d-%d", i, k)
				late := w.ordered.Load()
				a := f.write(adding(index, fmt.Sprintf(`[{"id":%q,"title":"t"}]`, id)))
				w.mu.Lock()
				switch {
				case late:
					w.after[index+"/"+id] = true
				case a.Err == nil && !w.began.Load():
					w.before[index+"/"+id] = true
				}
				w.mu.Unlock()
				w.acknowledgments.Add(1)
			}
		})
	}
	return w
}

func (w *writers) wait(f *fleet, more int64) {
	want := w.acknowledgments.Load() + more
	f.eventually("writes were acknowledged", func() bool { return w.acknowledgments.Load() >= want })
}

func TestABackupUnderWritesIsOneCut(t *testing.T) {
	for _, snapshot := range []bool{false, true} {
		t.Run(fmt.Sprintf("snapshot=%v", snapshot), func(t *testing.T) {
			f := newBackedUpFleet(t, 2, 2, 1)
			w := f.startWriters(4)
			w.wait(f, 40)
			w.began.Store(true)
			uid := f.accepted(backingUp(snapshot))
			w.ordered.Store(true)
			w.wait(f, 40)
			task := f.ended(uid)
			w.stop.Store(true)
			w.running.Wait()
			if task.Status != api.Succeeded {
				t.Fatalf("%s %s", task.Status, task.Error)
			}
			dir := f.onlyBackup(snapshot)
			if m := f.manifest(dir); !snapshot && string(task.Details) != fmt.Sprintf(`{"dumpUid":%q}`, m.UID) || snapshot && task.Details != nil {
				t.Errorf("details %s", task.Details)
			}
			f.idle()
			g := f.restored(dir)
			got := map[string]bool{}
			for _, index := range []string{"index0", "index1"} {
				for id := range g.equal(index) {
					got[index+"/"+id] = true
				}
			}
			w.checkCut(t, got)
			if list, err := g.c.Tasks(t.Context(), &store.TaskQuery{Limit: 1, Types: []string{task.Type}}); err != nil || list.Total != 0 {
				t.Errorf("the backup holds itself: %v, %v", list.Total, err)
			}
			// writes go on, and so do backups of what was brought back
			g.must(adding("index0", title(1, "more")))
			g.must(&messages.DeleteDocuments{IndexUID: "index1", IDs: slices.Sorted(maps.Keys(g.equal("index1")))[:1]})
			if n := len(g.equal("index0")); n != countOf(got, "index0/")+1 {
				t.Errorf("%d documents", n)
			}
		})
	}
}

func countOf(set map[string]bool, prefix string) (n int) {
	for k := range set {
		if strings.HasPrefix(k, prefix) {
			n++
		}
	}
	return n
}

// checkCut compares what a restored fleet has with what was written around the cut.
func (w *writers) checkCut(t *testing.T, got map[string]bool) {
	t.Helper()
	if len(w.before) < 20 || len(w.after) < 10 {
		t.Fatalf("only %d writes before and %d after", len(w.before), len(w.after))
	}
	for id := range w.before {
		if !got[id] {
			t.Errorf("%s was acknowledged before and is missing", id)
		}
	}
	for id := range w.after {
		if got[id] {
			t.Errorf("%s was sent after and is there", id)
		}
	}
}

// onlyBackup is the directory of the one backup that was made.
func (f *fleet) onlyBackup(snapshot bool) string {
	f.t.Helper()
	base := f.opts.DumpDir
	if snapshot {
		base = f.opts.SnapshotDir
	}
	list, err := os.ReadDir(base)
	if err != nil || len(list) != 1 {
		f.t.Fatalf("backups %v: %v", list, err)
	}
	return filepath.Join(base, list[0].Name())
}

// Writes that a node has accepted and not carried out are in its dump, and those
// that it has not been given are in the store's copy.
func TestABackupHoldsWhatWaits(t *testing.T) {
	f := newBackedUpFleet(t, 2, 2, 1)
	f.must(adding("films", manyDocs(0, 20, "a")))
	f.nodes[0].PauseTasks()
	f.accepted(adding("films", manyDocs(20, 20, "b")))
	uid := f.accepted(backingUp(false))
	f.eventually("three nodes have made theirs and one will", func() bool {
		return f.partsIn(uid, store.DeliveryApplied) == 3 && f.partsIn(uid, store.DeliveryAcked) == 1
	})
	var later sync.WaitGroup
	later.Go(func() { f.accepted(adding("films", manyDocs(40, 20, "c"))) }) // a0 takes it when its dump has begun
	f.eventually("the later write waits for a node alone", func() bool {
		return f.c.nodes[0].behind.Load() == 1 && f.partsIn(uid+1, store.DeliveryApplied) == 3
	})
	f.nodes[0].ResumeTasks()
	later.Wait()
	if task := f.ended(uid); task.Status != api.Succeeded {
		t.Fatalf("%s %s", task.Status, task.Error)
	}
	f.idle()
	if n := len(f.equal("films")); n != 60 {
		t.Errorf("%d documents", n)
	}
	g := f.restored(f.onlyBackup(false))
	if n := len(g.equal("films")); n != 40 {
		t.Errorf("%d documents were brought back", n)
	}
}

// partsIn counts the nodes whose part of a task is in a state.
func (f *fleet) partsIn(task int64, s store.DeliveryState) (n int) {
	f.t.Helper()
	parts, err := f.c.TaskParts(f.t.Context(), task)
	if err != nil {
		f.t.Fatal(err)
	}
	for _, p := range parts {
		if p.State == string(s) {
			n++
		}
	}
	return n
}

func TestANodeThatIsAwayMissesABackup(t *testing.T) {
	f := newBackedUpFleet(t, 2, 2, 1)
	f.must(adding("films", manyDocs(0, 20, "a")))
	f.down(3)
	a := f.write(backingUp(false))
	if a.Err != nil || !strings.HasPrefix(a.Degraded, "groups=1; shards=") || a.Task.Type != api.DumpCreation || a.Task.IndexUID != nil {
		t.Fatalf("%+v", a)
	}
	uid := int64(a.Task.TaskUID)
	if task := f.ended(uid); task.Status != api.Succeeded {
		t.Fatalf("%s %s", task.Status, task.Error)
	}
	m := f.manifest(f.onlyBackup(false))
	for n, node := range m.Nodes {
		if away := n == 3; away != (node.State == "missed") || away != (node.DumpUID == "") || away != (len(node.Tasks) == 0) {
			t.Errorf("%+v", node)
		}
	}
	if m.ClusterID != f.c.store.ClusterID() || m.Kind != kindDump || m.Task != uid || m.Entry == 0 {
		t.Errorf("%+v", m)
	}
	parts, err := f.c.TaskParts(t.Context(), uid)
	if err != nil || len(parts) != 4 {
		t.Fatal(parts, err)
	}
	for i, p := range parts {
		if p.DumpUID != m.Nodes[i].DumpUID || p.Kind != kindDump {
			t.Errorf("%+v", p)
		}
	}
	f.up(3)
	f.untilState(3, stateReady)
	f.idle()
	if len(f.c.views.load().behind[3]) > 0 || f.partsIn(uid, store.DeliveryDropped) != 1 {
		t.Error("the node is behind for a backup that it missed")
	}
	if list, err := os.ReadDir(filepath.Join(f.base, "nodes", "b1", "dumps")); err == nil && len(list) > 0 {
		t.Error("the node caught up with the dump")
	}
}

func TestABackupWithAKeyIsMadeOnce(t *testing.T) {
	f := newBackedUpFleet(t, 1, 1, 1)
	m := &messages.MakeBackup{WriteOptions: messages.WriteOptions{Idempotency: &messages.Idempotency{Key: "k", Request: "r"}}}
	first := f.ended(f.accepted(m)).UID
	if again := f.accepted(m); again != first {
		t.Errorf("tasks %d and %d", first, again)
	}
	other := &messages.MakeBackup{WriteOptions: messages.WriteOptions{Idempotency: &messages.Idempotency{Key: "k", Request: "another"}}}
	if a := f.write(other); a.Err == nil || a.Err.Code != "miroir_idempotency_key_reused" {
		t.Errorf("%+v", a)
	}
	f.onlyBackup(false)
}

func TestABackupIsRefusedWithoutAQuorum(t *testing.T) {
	f := newBackedUpFleet(t, 1, 2, 1)
	f.down(0)
	if a := f.write(backingUp(false)); a.Err == nil || a.Err.Code != "miroir_no_quorum" || a.Task != nil {
		t.Errorf("%+v", a)
	}
	if list, err := os.ReadDir(f.opts.DumpDir); err == nil && len(list) > 0 {
		t.Error("something was left behind")
	}
	f.c.opts.SnapshotDir = ""
	if a := f.write(backingUp(true)); a.Err == nil || a.Err.Code != "miroir_not_supported" {
		t.Errorf("%+v", a)
	}
}

// A node without a directory cannot dump.
func TestABackupFailsWhenANodeFails(t *testing.T) {
	f := newFleet(t, 1, 2, 2)
	f.c.opts.DumpDir = t.TempDir()
	if got, want := f.failure(backingUp(false)), "miroir_not_supported: this embedded node has no directory for dumps"; got != want {
		t.Errorf("%s", got)
	}
	task, err := f.c.Task(t.Context(), 0)
	if err != nil || string(task.Details) != `{"dumpUid":null}` {
		t.Errorf("details %s, %v", task.Details, err)
	}
	if list, err := os.ReadDir(f.c.opts.DumpDir); err != nil || len(list) > 0 {
		t.Errorf("%v was left behind: %v", list, err)
	}
	f.must(adding("films", title(1, "a"))) // the lanes go on
	f.idle()
}

func TestWritesDoNotWaitForABusyNode(t *testing.T) {
	f := newBackedUpFleet(t, 2, 1, 1, func(o *Options) { o.BackupHold = 200 * time.Millisecond })
	f.must(adding("films", title(1, "a")))
	f.nodes[1].PauseTasks()
	if got := f.failure(backingUp(false)); !strings.HasPrefix(got, "miroir_overloaded: Node b0 did not begin its part of the backup within 200ms") {
		t.Errorf("%s", got)
	}
	f.accepted(adding("films", title(2, "b")))
	f.nodes[1].ResumeTasks()
	if n := len(f.equal("films")); n != 2 {
		t.Errorf("%d documents", n)
	}
}

// What is begun when Miroir dies ends after it is back.
func TestABackupSurvivesARestart(t *testing.T) {
	f := newBackedUpFleet(t, 2, 1, 1)
	f.must(adding("films", manyDocs(0, 20, "a")))
	f.nodes[0].PauseTasks()
	uid := f.accepted(backingUp(false))
	f.eventually("the store is copied", func() bool {
		_, err := os.Stat(filepath.Join(f.onlyBackup(false), stateDir))
		return err == nil
	})
	f.eventually("a node has made its dump", func() bool { return f.partsIn(uid, store.DeliveryApplied) == 1 })
	f.stop()
	f.start()
	f.nodes[0].ResumeTasks()
	if task := f.ended(uid); task.Status != api.Succeeded {
		t.Fatalf("%s %s", task.Status, task.Error)
	}
	g := f.restored(f.onlyBackup(false))
	if n := len(g.equal("films")); n != 20 {
		t.Errorf("%d documents", n)
	}
}

// A backup that no node was handed can be canceled.
func TestABackupIsCanceled(t *testing.T) {
	f := newBackedUpFleet(t, 1, 2, 1)
	f.must(adding("films", manyDocs(0, 20, "a")))
	for _, n := range f.nodes {
		n.PauseTasks()
	}
	first := f.accepted(backingUp(false))
	f.eventually("both nodes have accepted it", func() bool { return f.partsIn(first, store.DeliveryAcked) == 2 })
	second := f.accepted(backingUp(false))
	f.must(cancelling(store.TaskQuery{UIDs: []int64{first, second}}))
	for _, n := range f.nodes {
		n.ResumeTasks()
	}
	if task := f.ended(second); task.Status != api.Canceled || string(task.Details) != `{"dumpUid":null}` {
		t.Errorf("%s %s", task.Status, task.Details)
	}
	if task := f.ended(first); task.Status != api.Succeeded {
		t.Errorf("%s %s", task.Status, task.Error)
	}
	f.eventually("only one backup is left", func() bool {
		list, err := os.ReadDir(f.opts.DumpDir)
		return err == nil && len(list) == 1
	})
	g := f.restored(f.onlyBackup(false))
	if n := len(g.equal("films")); n != 20 {
		t.Errorf("%d documents", n)
	}
}

func TestASnapshotTakesThePlaceOfTheOneBefore(t *testing.T) {
	f := newBackedUpFleet(t, 1, 1, 1)
	foreign := filepath.Join(f.opts.SnapshotDir, "19990101-000000000")
	if err := os.MkdirAll(foreign, 0o700); err != nil {
		t.Fatal(err)
	}
	f.must(backingUp(true))
	f.must(backingUp(true))
	list, err := os.ReadDir(f.opts.SnapshotDir)
	if err != nil || len(list) != 2 || list[0].Name() != filepath.Base(foreign) {
		t.Errorf("%v, %v", list, err)
	}
	f.must(backingUp(false))
	f.must(backingUp(false))
	if list, err := os.ReadDir(f.opts.DumpDir); err != nil || len(list) != 2 {
		t.Errorf("%v, %v", list, err)
	}
}

func TestFoldBackup(t *testing.T) {
	snap, err := topology.New(1, []topology.Node{{ID: "a0", Address: "a"}, {ID: "a1", Address: "b"}, {ID: "b0", Address: "c", Group: 1}}, 1)
	if err != nil {
		t.Fatal(err)
	}
	tables := []*topology.Table{snap.Table(8), snap.Table(16)}
	for _, c := range []struct {
		parts string // by node: applied, failed, waits, gone (waits and is down)
		want  verdict
	}{
		{"aaa", carriedOut}, {"aaw", undecided}, {"aag", carriedOut}, {"agg", undecided}, {"gga", carriedOut}, {"aga", carriedOut},
		{"afa", refusedByNodes}, {"afw", undecided}, {"gfg", refusedByNodes}, {"ggg", undecided},
	} {
		parts := map[topology.NodeIndex]*part{}
		for n, s := range c.parts {
			p := &part{state: store.DeliveryPending}
			switch s {
			case 'a':
				p.state = store.DeliveryApplied
			case 'f':
				p.state, p.err = store.DeliveryFailed, json.RawMessage(`{}`)
			}
			parts[n] = p
		}
		got, err := foldBackup(tables, parts, func(n topology.NodeIndex) bool { return c.parts[n] != 'g' })
		if got != c.want || (err != nil) != (got == refusedByNodes) {
			t.Errorf("%s: %v %s", c.parts, got, err)
		}
	}
}

// answers is a node that gives the same answers to all who ask.
type answers map[string]string // by the beginning of the path

func (a answers) Do(_ context.Context, _ string, req *nodeclient.Request) (*nodeclient.Response, error) {
	for path, body := range a {
		if strings.HasPrefix(req.Path, path) {
			return &nodeclient.Response{Status: 200, Body: []byte(body)}, nil
		}
	}
	return &nodeclient.Response{Status: 404, Body: []byte(`{}`)}, nil
}

func (answers) Close() {}

func TestWhenANodeHasBegunItsBackup(t *testing.T) {
	batch, began := int64(4), time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	step := func(name string) string {
		return `{"uid":4,"progress":{"steps":[{"currentStep":"` + name + `"},{"currentStep":"x"}]}}`
	}
	for _, c := range []struct {
		name, status, batch, later string
		begun                      bool
		end                        string // the status that is made of it
	}{
		{name: "the keys", status: "processing", batch: step("dump the api keys"), end: "processing"},
		{name: "the beginning", status: "processing", batch: step("start the dump creation"), end: "processing"},
		{name: "no progress", status: "processing", batch: `{"uid":4,"progress":null,"finishedAt":null}`, end: "processing"},
		{name: "an unknown batch", status: "processing", end: "processing"},
		{name: "the tasks", status: "processing", batch: step("dump the tasks"), begun: true, end: "processing"},
		{name: "the task database", status: "processing", batch: step("snapshot the index scheduler"), end: "processing"},
		{name: "the files", status: "processing", batch: step("snapshot the update files"), begun: true, end: "processing"},
		{name: "no later write", status: "succeeded", later: `{"results":[]}`, end: "succeeded"},
		{name: "a write after the beginning", status: "succeeded", later: `{"results":[{"enqueuedAt":"2026-01-02T03:04:06Z"}]}`, end: "succeeded"},
		{name: "a write before the beginning", status: "succeeded", later: `{"results":[{"enqueuedAt":"2026-01-02T03:04:04Z"}]}`, end: "failed"},
		{name: "no list", status: "succeeded", end: "processing"},
	} {
		node := answers{}
		if c.batch != "" {
			node["/batches/4"] = c.batch
		}
		if c.later != "" {
			node["/tasks?reverse=true&limit=1&types="+writeTypes+"&from=8"] = c.later
		}
		cl := &Cluster{client: node, ctx: t.Context(), opts: Options{WriteCallTimeout: time.Minute}}
		task := &nodeTask{UID: 7, Status: c.status, Batch: &batch, StartedAt: began}
		if begun := cl.lookAtBackup(&nodeHandle{}, task); begun != c.begun || task.Status != c.end || (len(task.Error) > 0) != (c.end == "failed") {
			t.Errorf("%s: begun %v, %s %s", c.name, begun, task.Status, task.Error)
		}
	}
}
