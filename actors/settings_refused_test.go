package actors

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/miroir-search/miroir/api"
	"github.com/miroir-search/miroir/embedded"
	"github.com/miroir-search/miroir/store"
)

// nodeSettingsOf reads the settings of an index as a node has them.
func (f *fleet) nodeSettingsOf(n int, index string) string {
	f.t.Helper()
	path := strings.TrimSuffix(f.documentsOf(index), "/documents") + "/settings"
	req, err := http.NewRequestWithContext(f.t.Context(), http.MethodGet, f.nodes[n].URL()+path, nil)
	if err != nil {
		f.t.Fatal(err)
	}
	resp, err := f.nodes[n].Transport().RoundTrip(req)
	if err != nil {
		f.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		f.t.Fatal(err)
	}
	return string(text)
}

// Settings that only the nodes with one document refuse, when they work on them,
// are taken back on all others, and the task says why.
func TestSettingsThatOneNodeRefusesAreAsBeforeOnAll(t *testing.T) {
	f := newFleet(t, 1, 3, 1)
	f.must(adding("films", manyDocs(0, 30, "x")))
	f.must(adding("films", `[{"id":"lost","_geo":"nowhere"}]`)) // good until _geo matters
	f.must(settingsOf("films", `{"stopWords":["the"]}`))
	var before []string
	for n := range f.nodes {
		before = append(before, f.nodeSettingsOf(n, "films"))
	}
	task := f.ended(f.accepted(settingsOf("films", `{"filterableAttributes":["_geo","n"],"stopWords":["common"]}`)))
	if task.Status != api.Failed || errorCode(task.Error) != "invalid_document_geo_field" || !strings.Contains(string(task.Error), "Index `films`: ") {
		t.Errorf("%s %s", task.Status, task.Error)
	}
	f.idle()
	for n := range f.nodes {
		if now := f.nodeSettingsOf(n, "films"); now != before[n] {
			t.Errorf("node %d had %s\nand has %s", n, before[n], now)
		}
	}
	if p, a := f.search("films", `{"q":"common","limit":100}`); len(p.Hits) != 30 || a.Degraded != "" {
		t.Errorf("%d hits, degraded %q", len(p.Hits), a.Degraded)
	}
	f.must(adding("films", `[{"id":"two","_geo":"nowhere"}]`)) // _geo does not matter again
}

// Several changes that nodes refuse one behind the other leave nothing to do.
func TestSettingsThatAreTakenBackTogetherComeToAnEnd(t *testing.T) {
	f := newFleet(t, 1, 2, 1)
	f.must(adding("films", `[{"id":1,"_geo":"nowhere"},{"id":2,"_geo":"nowhere"},{"id":3,"_geo":"nowhere"},{"id":4,"_geo":"nowhere"}]`))
	for _, n := range f.nodes {
		n.PauseTasks() // so that none is known to be refused when the next is ordered
	}
	var uids []int64
	for range 4 {
		uids = append(uids, f.accepted(settingsOf("films", `{"sortableAttributes":["_geo"]}`)))
	}
	for _, n := range f.nodes {
		n.ResumeTasks()
	}
	for _, uid := range uids {
		if task := f.ended(uid); task.Status != api.Failed {
			t.Errorf("task %d: %s", uid, task.Status)
		}
	}
	f.idle()
	for n := range f.nodes {
		if now := f.nodeSettingsOf(n, "films"); strings.Contains(now, `"_geo"`) {
			t.Errorf("node %d has %s", n, now)
		}
	}
	f.must(adding("films", `[{"id":5,"_geo":"nowhere"}]`))
}

// A node at which settings fail for its own reasons is not read until it is
// repaired; the change holds.
func TestSettingsThatFailOnOneNodeAloneAreRepaired(t *testing.T) {
	f := newFleet(t, 2, 1, 1)
	f.must(adding("films", manyDocs(0, 10, "x")))
	f.nodes[1].Faults().AddTask(embedded.TaskFault{Type: "settingsUpdate", Code: "no_space_left_on_device", Times: 1})
	f.must(settingsOf("films", `{"stopWords":["common"],"filterableAttributes":["n"]}`))
	for range 6 { // whoever answers has the new settings
		if p, _ := f.search("films", `{"q":"common"}`); len(p.Hits) != 0 {
			t.Errorf("%d hits of a stop word", len(p.Hits))
		}
	}
	f.equal("films")
	var want, got map[string]json.RawMessage
	f.eventually("the node is repaired", func() bool {
		a, b := f.nodeSettingsOf(0, "films"), f.nodeSettingsOf(1, "films")
		return json.Unmarshal([]byte(a), &want) == nil && json.Unmarshal([]byte(b), &got) == nil && string(mustJSON(want)) == string(mustJSON(got))
	})
}

// slowEnds is a store that does not write the end of tasks that succeeded while it is
// held.
type slowEnds struct {
	store.Store
	mu   sync.Mutex
	held chan struct{} // nil when it is not
}

func (s *slowEnds) hold() (release func()) {
	held := make(chan struct{})
	s.mu.Lock()
	defer s.mu.Unlock()
	s.held = held
	return sync.OnceFunc(func() {
		s.mu.Lock()
		s.held = nil
		s.mu.Unlock()
		close(held)
	})
}

func (s *slowEnds) Commit(ctx context.Context, b *store.Batch) error {
	s.mu.Lock()
	held := s.held
	s.mu.Unlock()
	if held != nil && slices.ContainsFunc(b.Tasks, func(t *store.Task) bool { return t.Status == api.Succeeded }) {
		select {
		case <-held:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return s.Store.Commit(ctx, b)
}

func countIf[T any](all []T, is func(T) bool) (n int) {
	for _, v := range all {
		if is(v) {
			n++
		}
	}
	return n
}

// A change that was ordered between refused settings and what takes them back shows
// none of them when it ends, also when Miroir has forgotten in between.
func TestRefusedSettingsDoNotComeBackWithALaterChange(t *testing.T) {
	for name, forget := range map[string]func(f *fleet){
		"at once":                func(*fleet) {},
		"the keeper crashes":     func(f *fleet) { f.crashKeeper() },
		"the sequencer crashes":  func(f *fleet) { f.crashSequencer("films") },
		"the cluster is stopped": func(f *fleet) { f.stop(); f.start() },
	} {
		t.Run(name, func(t *testing.T) {
			slow := &slowEnds{}
			f := newFleet(t, 2, 1, 1)
			f.wrap = func(s store.Store) store.Store { slow.Store = s; return slow }
			f.stop()
			f.start()
			f.must(adding("films", `[{"id":1,"_geo":"nowhere"}]`))
			f.idle()
			before := f.tasksOf(0, f.internal("films"))
			for _, n := range f.nodes {
				n.PauseTasks() // so that the refusal is not known when the next is ordered
			}
			release := slow.hold()
			defer release()
			refused := f.accepted(settingsOf("films", `{"sortableAttributes":["_geo"]}`))
			later := f.accepted(settingsOf("films", `{"stopWords":["b"]}`))
			for _, n := range f.nodes {
				n.ResumeTasks()
			}
			for n := range f.nodes {
				f.eventually("the settings are taken back", func() bool {
					return f.tasksOf(n, f.internal("films")) == before+3 && f.nodes[n].Idle(f.t.Context()) == nil
				})
			}
			f.eventually("that is on record", func() bool {
				st, err := f.c.load(f.t.Context())
				return err == nil && !slices.ContainsFunc(st.Entries, func(e *store.Entry) bool {
					return strings.Contains(string(e.Params), `"undo"`) && 2 > countIf(st.Deliveries, func(d *store.Delivery) bool {
						return d.LSN == e.LSN && d.State == store.DeliveryApplied
					})
				})
			})
			forget(f)
			release()
			if task := f.ended(refused); task.Status != api.Failed {
				t.Errorf("%s", task.Status)
			}
			if task := f.ended(later); task.Status != api.Succeeded {
				t.Errorf("%s %s", task.Status, task.Error)
			}
			f.idle()
			row, _ := f.c.registry.row(f.internal("films"))
			if text := string(row.Settings); strings.Contains(text, "_geo") || !strings.Contains(text, `"b"`) {
				t.Errorf("the settings are %s", text)
			}
			f.must(adding("films", `[{"id":5,"_geo":"nowhere"}]`))
			f.replaced(1, embedded.Options{})
			f.eventually("the copy is to be rebuilt", func() bool { return len(f.c.views.load().behind[1]) > 0 })
			f.readAgain()
			f.equal("films")
		})
	}
}
