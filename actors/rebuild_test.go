package actors

import (
	"context"
	"maps"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/miroir-search/miroir/api"
	"github.com/miroir-search/miroir/embedded"
	"github.com/miroir-search/miroir/messages"
)

// rebuiltAll waits until no copy has to be rebuilt.
func (f *fleet) rebuiltAll() {
	f.t.Helper()
	f.eventually("every copy is rebuilt", func() bool {
		open, progress := f.c.rebuilds.list()
		for i, r := range open {
			if progress[i].Problem != "" {
				f.t.Logf("%s %s: %+v", f.c.nodes[r.key.node].node.ID, r.record.Reason, progress[i])
			}
		}
		return len(open) == 0
	})
}

// readAgain waits until every node is read for everything that it owns.
func (f *fleet) readAgain() {
	f.t.Helper()
	f.rebuiltAll()
	f.eventually("no copy is behind", func() bool {
		for _, behind := range f.c.views.load().behind {
			if len(behind) > 0 {
				return false
			}
		}
		return true
	})
}

func (f *fleet) internal(index string) string {
	f.t.Helper()
	iv, ok := f.c.registry.lookup(index)
	if !ok {
		f.t.Fatalf("no index %s", index)
	}
	return iv.row.ID
}

// failNext lets the next task of a kind fail on one node for the node's own reasons.
func (f *fleet) failNext(n int, kind string) {
	f.nodes[n].Faults().AddTask(embedded.TaskFault{Type: kind, Times: 1, Code: "no_space_left_on_device"})
}

func TestACopyThatFailedAloneIsRebuiltAndReadAgain(t *testing.T) {
	for name, write := range map[string]func(f *fleet){
		"addition": func(f *fleet) {
			f.failNext(1, "documentAdditionOrUpdate")
			f.must(adding("films", manyDocs(5, 10, "second")))
		},
		"deletion": func(f *fleet) {
			f.failNext(1, "documentDeletion")
			f.must(&messages.DeleteDocuments{IndexUID: "films", IDs: []string{"1", "3", "5", "7"}})
		},
		"deletion by filter": func(f *fleet) {
			f.failNext(1, "documentDeletion")
			f.must(&messages.DeleteDocumentsByFilter{IndexUID: "films", Filter: []byte(`"n > 4"`)})
		},
		"clear": func(f *fleet) {
			f.failNext(1, "documentDeletion")
			f.must(&messages.ClearDocuments{IndexUID: "films"})
		},
		"settings": func(f *fleet) {
			f.failNext(1, "settingsUpdate")
			f.must(settingsOf("films", `{"sortableAttributes":["n"],"stopWords":["the"]}`))
		},
		"creation": func(f *fleet) {
			f.failNext(1, "indexCreation")
			f.must(&messages.CreateIndex{IndexUID: "other", PrimaryKey: "id"})
			f.must(adding("other", manyDocs(0, 5, "x")))
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFleet(t, 2, 1, 1)
			f.must(settingsOf("films", `{"filterableAttributes":["n"]}`))
			f.must(adding("films", manyDocs(0, 10, "first")))
			write(f)
			f.must(adding("films", manyDocs(20, 2, "third")))
			f.readAgain()
			f.equal("films")
			if name == "creation" {
				f.equal("other")
			}
			if a, b := f.settingsOn(0, "films"), f.settingsOn(1, "films"); a != b {
				t.Errorf("settings differ:\n%s\n%s", a, b)
			}
			if v := f.c.views.load(); len(v.settings) > 0 {
				t.Errorf("nodes do not agree on settings: %v", v.settings)
			}
		})
	}
}

// holdRebuilds lets no rebuild begin until release is called.
func (f *fleet) holdRebuilds() (release func()) {
	r := f.c.rebuilds
	change := func(hold bool) {
		r.mu.Lock()
		defer r.mu.Unlock()
		for n := range maxRebuildJobs {
			key := rebuildKey{n, "held"}
			if delete(r.running, key); hold {
				r.running[key] = true
			}
		}
	}
	change(true)
	return func() { change(false) }
}

// A copy that lacks the settings by which the others refuse a write may carry it out.
// The write has failed nevertheless, and nothing of it is left.
func TestACopyBeingRebuiltHasNoSayInARefusal(t *testing.T) {
	for name, after := range map[string]func(f *fleet){
		"at once":                func(*fleet) {},
		"the keeper crashes":     func(f *fleet) { f.crashKeeper() },
		"the cluster is stopped": func(f *fleet) { f.stop(); f.start() },
	} {
		t.Run(name, func(t *testing.T) {
			f := newFleet(t, 2, 1, 1)
			f.must(settingsOf("films", `{"filterableAttributes":["n"]}`))
			f.must(adding("films", manyDocs(0, 10, "first")))
			before := f.equal("films")
			release := f.holdRebuilds()
			f.failNext(1, "settingsUpdate")
			f.must(settingsOf("films", `{"filterableAttributes":[]}`))
			task := f.ended(f.accepted(&messages.DeleteDocumentsByFilter{IndexUID: "films", Filter: []byte(`"n > 4"`)}))
			if task.Status != api.Failed || errorCode(task.Error) != "invalid_document_filter" {
				t.Errorf("%s %s", task.Status, task.Error)
			}
			after(f)
			release()
			f.readAgain()
			if left := f.equal("films"); !maps.Equal(before, left) {
				t.Errorf("%d documents are left of %d", len(left), len(before))
			}
			f.must(&messages.ClearDocuments{IndexUID: "films"})
			f.equal("films")
		})
	}
}

// What only a copy that is being rebuilt has done waits for a healthy one.
func TestACopyBeingRebuiltDoesNotEndAWriteAlone(t *testing.T) {
	f := newFleet(t, 2, 1, 1)
	f.must(settingsOf("films", `{"filterableAttributes":["n"]}`))
	f.must(adding("films", manyDocs(0, 10, "first")))
	before := f.equal("films")
	defer f.holdRebuilds()()
	f.failNext(1, "settingsUpdate")
	f.must(settingsOf("films", `{"filterableAttributes":[]}`))
	f.down(0)
	uid := f.accepted(&messages.DeleteDocumentsByFilter{IndexUID: "films", Filter: []byte(`"n > 4"`)})
	f.eventually("the copy has done it", func() bool { return len(f.stored(1, f.internal("films"))) < len(before) })
	f.up(0)
	if task := f.ended(uid); task.Status != api.Failed || errorCode(task.Error) != "invalid_document_filter" {
		t.Errorf("%s %s", task.Status, task.Error)
	}
	f.holdRebuilds()()
	f.readAgain()
	if left := f.equal("films"); !maps.Equal(before, left) {
		t.Errorf("%d documents are left of %d", len(left), len(before))
	}
}

// settingsOn reads the settings of an index from a node.
func (f *fleet) settingsOn(n int, index string) string {
	f.t.Helper()
	resp, err := f.c.ask(context.Background(), f.c.nodes[n], jsonCall("GET", "/indexes/"+f.internal(index)+"/settings", nil))
	if err != nil {
		f.t.Fatal(err)
	}
	return string(resp.Body)
}

// foreign writes to a node behind Miroir's back and waits until the node has done it.
func (f *fleet) foreign(n int, method, path, body string) {
	f.t.Helper()
	resp, err := f.c.ask(context.Background(), f.c.nodes[n], jsonCall(method, path, []byte(body)))
	if err != nil {
		f.t.Fatal(err)
	}
	if _, err := taskUID(resp); err != nil {
		f.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := f.nodes[n].Idle(ctx); err != nil {
		f.t.Fatal(err)
	}
}

func TestWhatSomebodyElseWroteIsSetRight(t *testing.T) {
	f := newFleet(t, 2, 1, 1)
	f.must(adding("films", manyDocs(0, 10, "first")))
	f.must(adding("others", manyDocs(0, 3, "first")))
	before := f.equal("films")
	f.foreign(1, "POST", f.documentsOf("films"), `[{"id":3,"title":"spoilt"},{"id":77,"title":"not ours"}]`)
	f.foreign(1, "DELETE", f.documentsOf("films")+"/5", ``)
	watched := make(chan *recordGone, 10)
	pid := f.c.sys.Root.Spawn(actor.PropsFromFunc(func(ctx actor.Context) {
		if m, ok := ctx.Message().(*recordGone); ok {
			watched <- m
		}
	}))
	defer func() { _ = f.c.sys.Root.StopFuture(pid).Wait() }()
	f.c.rebuilds.watch(pid)
	f.must(adding("others", manyDocs(3, 1, "second"))) // shows the gap
	select {
	case m := <-watched:
		if m.node != 1 || m.indexID != f.internal("films") {
			t.Errorf("told of %+v", m)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("nobody was told of a rebuild")
	}
	f.readAgain()
	if after := f.equal("films"); !maps.Equal(before, after) {
		t.Errorf("the copies are equal, but not as before:\n%v\n%v", before, after)
	}
	f.equal("others")
}

// A node that no longer has a deleted index lacks nothing, and one that fails to
// delete it is not called behind for what nobody can read.
func TestADeletedIndexLeavesNobodyBehind(t *testing.T) {
	for name, lose := range map[string]func(f *fleet){
		"gone before": func(f *fleet) { f.foreign(1, "DELETE", "/indexes/"+f.internal("films"), "") },
		"failed":      func(f *fleet) { f.failNext(1, "indexDeletion") },
		"failed twice": func(f *fleet) {
			f.failNext(1, "indexDeletion")
			f.failNext(1, "indexDeletion")
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFleet(t, 2, 1, 1)
			f.must(adding("films", manyDocs(0, 3, "x")))
			films := f.internal("films")
			lose(f)
			f.must(&messages.DeleteIndex{IndexUID: "films"})
			f.idle()
			f.eventually("no node has it", func() bool {
				for _, h := range f.c.nodes {
					ids, err := f.c.idsOn(f.t.Context(), h)
					if _, has := ids[films]; has || err != nil {
						return false
					}
				}
				return true
			})
			f.eventually("no node is called behind", func() bool {
				for n := range f.nodes {
					if len(f.c.views.load().behind[n]) > 0 {
						return false
					}
				}
				return !f.c.Topology().Degraded
			})
		})
	}
}

func TestADeletedIndexIsNotRebuilt(t *testing.T) {
	f := newFleet(t, 2, 1, 1)
	f.must(adding("films", manyDocs(0, 10, "first")))
	f.must(adding("others", manyDocs(0, 10, "first")))
	f.down(0) // the only source
	for _, index := range []string{"films", "others"} {
		iv, _ := f.c.registry.lookup(index)
		recorded := make(chan error, 1)
		f.c.tell(f.c.keeper, &needRebuild{
			node: 1, indexID: iv.row.ID, shards: iv.table.Held(1), reason: "a test", recorded: func(err error) { recorded <- err },
		})
		if err := <-recorded; err != nil {
			t.Fatal(err)
		}
	}
	if got := f.c.Topology().Rebuilds; len(got) != 2 || got[0].IndexUID != "films" || got[0].Node != "b0" || len(got[0].Shards) != 16 {
		t.Errorf("shown as %+v", got)
	}
	f.must(&messages.DeleteIndex{IndexUID: "films"})
	f.eventually("one rebuild is left", func() bool { return len(f.c.Topology().Rebuilds) == 1 })
	f.stop()
	f.start()
	if got := f.c.Topology().Rebuilds; len(got) != 1 || got[0].IndexUID != "others" {
		t.Errorf("shown after a restart as %+v", got)
	}
	f.up(0)
	f.readAgain()
	f.equal("others")
}

// What fails on a copy that is being rebuilt says nothing about the write: it may
// lack the settings, or the index.
func TestACopyThatIsRebuiltHasNoSay(t *testing.T) {
	f := newFleet(t, 2, 1, 1)
	f.must(settingsOf("films", `{"filterableAttributes":["n"]}`))
	f.must(adding("films", `[{"id":1,"n":1},{"id":2,"n":9}]`))
	f.idle()
	f.down(0) // so that there is nothing to rebuild from yet
	h, _ := f.c.registry.resolve("films")
	f.c.needRebuild(1, h.id, h.table.Load().All(), "test")
	f.c.registry.leave("films", h)
	f.eventually("the record is open", func() bool { open, _ := f.c.rebuilds.list(); return len(open) == 1 })
	f.nodes[1].Faults().AddTask(embedded.TaskFault{Type: "documentDeletion", Times: 1, Code: "invalid_document_filter"})
	uid := f.accepted(&messages.DeleteDocumentsByFilter{IndexUID: "films", Filter: []byte(`"n >= 5"`)})
	f.eventually("the deletion has failed there", func() bool { return f.nodes[1].Faults().Hits() > 0 })
	time.Sleep(50 * time.Millisecond) // time for a verdict that must not come
	f.up(0)
	if task := f.ended(uid); task.Status != "succeeded" {
		t.Errorf("task %s: %s", task.Status, task.Error)
	}
	f.idle()
	if docs := f.equal("films"); len(docs) != 1 {
		t.Errorf("%d documents are left", len(docs))
	}
}
