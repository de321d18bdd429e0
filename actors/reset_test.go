package actors

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miroir-search/miroir/api"
	"github.com/miroir-search/miroir/embedded"
	"github.com/miroir-search/miroir/messages"
)

// replaced puts another node in the place of a node, at its address.
func (f *fleet) replaced(n int, o embedded.Options) {
	f.t.Helper()
	f.nodes[n].Stop()
	f.untilState(n, stateBroken)
	f.dirs[n] = o.Dir
	o.Addr, o.Window = strings.TrimPrefix(f.nodes[n].URL(), "http://"), -1
	f.nodes[n] = embedded.RunT(f.t, o)
}

// writing writes to an index until stop is called, which returns how often.
func (f *fleet) writing(index string) (stop func() int) {
	end, done := make(chan struct{}), make(chan int)
	go func() {
		n := 0
		defer func() { done <- n }()
		for ; ; n++ {
			select {
			case <-end:
				return
			default:
			}
			var m any
			switch n % 5 {
			case 0:
				m = &messages.DeleteDocuments{IndexUID: index, IDs: []string{fmt.Sprint(n % 40), fmt.Sprint(n % 7)}}
			case 1, 2:
				m = updating(index, fmt.Sprintf(`[{"id":%d,"u%d":%d},{"id":%d,"more":true}]`, n%40, n%3, n, 100+n%20))
			case 3:
				u := updating(index, fmt.Sprintf(`[{"id":%d,"skipped":%d},{"id":%d,"skipped":0}]`, n%50, n, 500+n))
				u.SkipCreation = true
				m = u
			default:
				m = adding(index, manyDocs(n%60, 5, fmt.Sprint(n)))
			}
			if n%31 == 30 {
				m = &messages.DeleteDocumentsByFilter{IndexUID: index, Filter: []byte(fmt.Sprintf(`"n = %d"`, n%5))}
			}
			if a := f.write(m); a.Err != nil && a.Err.Code != "miroir_no_quorum" {
				f.t.Errorf("%T: %v", m, a.Err)
			}
		}
	}()
	var once sync.Once
	return func() (n int) {
		once.Do(func() {
			close(end)
			n = <-done
		})
		return n
	}
}

func TestANodeThatCameBackEmptyIsFilledWhileWritesGoOn(t *testing.T) {
	for name, shape := range map[string][3]int{"two groups": {2, 2, 1}, "two copies in a group": {1, 3, 2}} {
		t.Run(name, func(t *testing.T) {
			f := newFleet(t, shape[0], shape[1], shape[2])
			f.must(settingsOf("films", `{"filterableAttributes":["n"]}`))
			f.must(adding("films", manyDocs(0, 60, "first")))
			f.must(settingsOf("quiet", `{"embedders":{"e":{"source":"userProvided","dimensions":2}}}`))
			var docs []string
			for i := range 200 {
				docs = append(docs, fmt.Sprintf(`{"id":%d,"n":%d,"x":1.50,"_vectors":{"e":[%d.5,0.25]}}`, 1000+i, i, i))
			}
			f.must(adding("quiet", "["+strings.Join(docs, ",")+"]"))
			quiet := f.equal("quiet")
			stop := f.writing("films")
			defer stop()
			f.replaced(1, embedded.Options{})
			f.readAgain()
			if n := stop(); n == 0 {
				t.Error("nothing was written meanwhile")
			}
			f.untilState(1, stateReady)
			f.equal("films")
			if docs := f.equal("quiet"); fmt.Sprint(docs) != fmt.Sprint(quiet) {
				t.Error("an index that nobody wrote to has changed")
			}
			for id, doc := range f.withVectors(1, "quiet", sortedKeys(quiet)) {
				if !strings.Contains(doc, `.5,0.25]`) || !strings.Contains(doc, `"regenerate":false`) {
					t.Errorf("document %s has lost its vector: %s", id, doc)
				}
			}
		})
	}
}

// withVectors reads documents of a node with their vectors.
func (f *fleet) withVectors(n int, index string, ids []string) map[string]string {
	f.t.Helper()
	docs, _, err := f.c.fetchByID(context.Background(), n, f.internal(index), "id", ids)
	if err != nil || len(docs) == 0 {
		f.t.Fatalf("%d documents, %v", len(docs), err)
	}
	out := map[string]string{}
	for id, doc := range docs {
		out[id] = string(doc)
	}
	return out
}

func (f *fleet) crashRepairer() { f.c.tell(f.c.repairer, &crash{"test"}) }

// startedRebuild waits until a node's copy is being filled.
func (f *fleet) startedRebuild() {
	f.t.Helper()
	f.eventually("a copy is being filled", func() bool {
		_, progress := f.c.rebuilds.list()
		return slices.ContainsFunc(progress, func(p rebuildProgress) bool { return p.State != "waiting" })
	})
}

func TestARebuildSurvivesCrashes(t *testing.T) {
	for name, crash := range map[string]func(f *fleet){
		"of the proxy":     func(f *fleet) { f.stop(); f.start() },
		"of the sequencer": func(f *fleet) { f.crashSequencer("films") },
		"of the repairer":  func(f *fleet) { f.crashRepairer() },
		"of the keeper":    func(f *fleet) { f.crashKeeper() },
		"of the target":    func(f *fleet) { f.crashNode(1) },
		"of the source":    func(f *fleet) { f.crashNode(0) },
		"of the node":      func(f *fleet) { f.down(1); f.up(1) },
	} {
		t.Run(name, func(t *testing.T) {
			f := newFleet(t, 2, 1, 1)
			f.must(settingsOf("films", `{"filterableAttributes":["n"]}`))
			f.must(adding("films", manyDocs(0, 300, "first")))
			before := f.equal("films")
			f.replaced(1, embedded.Options{})
			f.nodes[1].Faults().AddTask(embedded.TaskFault{Type: "documentAdditionOrUpdate", Times: 2, Delay: 300 * time.Millisecond})
			f.startedRebuild()
			crash(f)
			// Without the source for a moment nobody knows the document's number.
			f.eventually("a write is taken", func() bool { return f.write(adding("films", `[{"id":5,"late":true}]`)).Err == nil })
			f.readAgain()
			after := f.equal("films")
			if len(after) != len(before) || !strings.Contains(after["5"], "late") {
				t.Errorf("%d documents, and %s", len(after), after["5"])
			}
		})
	}
}

func TestANodeThatCameBackWithAnOlderCopyIsRebuilt(t *testing.T) {
	f := newFleet(t, 2, 1, 1)
	f.replaced(1, embedded.Options{Dir: t.TempDir()}) // before there is any index
	f.untilState(1, stateReady)
	f.must(adding("films", manyDocs(0, 30, "first")))
	f.idle()
	f.down(1)
	older := filepath.Join(t.TempDir(), "older")
	if err := os.CopyFS(older, os.DirFS(f.dirs[1])); err != nil {
		t.Fatal(err)
	}
	f.up(1)
	f.must(&messages.DeleteDocuments{IndexUID: "films", IDs: []string{"1", "2"}})
	f.must(adding("films", manyDocs(20, 30, "second")))
	f.must(&messages.CreateIndex{IndexUID: "later"})
	want := f.equal("films")
	f.replaced(1, embedded.Options{Dir: older})
	f.untilState(1, stateReady)
	f.readAgain()
	if got := f.equal("films"); !maps.Equal(got, want) {
		t.Error("the copies are equal, but not as before")
	}
	f.must(adding("later", manyDocs(0, 3, "x")))
	f.equal("later")
}

func TestATaskWhoseEndNobodySawIsNotTakenForDone(t *testing.T) {
	f := newFleet(t, 2, 1, 1)
	f.must(adding("films", manyDocs(0, 5, "first")))
	f.idle()
	f.nodes[1].PauseTasks()
	f.failNext(1, "documentAdditionOrUpdate") // which is forgotten before it is seen
	task := f.accepted(adding("films", manyDocs(3, 5, "second")))
	uid := f.c.nodes[1].lastTask.Load()
	away := f.nodes[1].Faults().Add(embedded.Fault{Path: "/health", Status: 500})
	f.untilState(1, stateBroken)
	f.nodes[1].ResumeTasks()
	f.foreign(1, "DELETE", fmt.Sprintf("/tasks?uids=%d", uid), "")
	f.foreign(1, "DELETE", fmt.Sprintf("/tasks?uids=%d", uid), "")
	away()
	if done := f.ended(task); done.Status != api.Succeeded {
		t.Errorf("%s %s", done.Status, done.Error)
	}
	f.readAgain()
	f.equal("films")
}

func TestTheOnlyCopyIsNeverRebuiltFromNothing(t *testing.T) {
	f := newFleet(t, 1, 2, 1)
	f.must(adding("films", manyDocs(0, 20, "x")))
	f.replaced(1, embedded.Options{})
	f.eventually("the node is refused and says what to do", func() bool {
		return f.state(1) != stateReady && strings.Contains(f.c.Topology().Groups[0].Nodes[1].Reason, replaceAdvice)
	})
	if open, _ := f.c.rebuilds.list(); len(open) > 0 {
		t.Errorf("to be rebuilt: %+v", open[0].record)
	}
	if a := f.read(&messages.Search{IndexUID: "films", Body: []byte(`{}`)}); a.Err == nil && a.Degraded == "" {
		t.Errorf("a hole is served as if it were whole: %.200s", a.Body)
	}
}
