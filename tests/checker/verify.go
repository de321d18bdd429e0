package checker

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/miroir-search/miroir/embedded"
	"github.com/miroir-search/miroir/tests/compare"
	"github.com/miroir-search/miroir/tests/fleet"
)

// verify compares what is there with what must be.
func (r *run) verify(t testing.TB) {
	t.Helper()
	var err error
	if r.tasks, err = r.listTasks(); err != nil {
		r.violated("%v", err)
		return
	}
	all, wrong := match(r.history.Writes, r.tasks)
	for _, w := range wrong {
		r.violated("%s", w)
		if strings.HasPrefix(w, "lost") {
			r.lost++
		}
	}
	var ordered []carried // what one node gets
	for _, c := range all {
		switch {
		case c.write.Outcome == Acknowledged && c.task.ours():
			r.lost++
			r.violated("lost: call %s was acknowledged, and is %s", c.write.Token, c.task)
		case c.task.ours():
		default:
			ordered = append(ordered, c)
			if c.write.Outcome == Unknown && c.task.Status == "succeeded" {
				r.became++
			}
		}
	}
	judge := r.judge(t)
	unlike := r.replay(t, judge, ordered)
	if early := slices.DeleteFunc(slices.Clone(unlike), func(u disagreement) bool { return u.task.code() != "index_not_found" }); len(early) > 0 {
		// Looked for an index that was made a moment later under a smaller uid.
		r.birthOrder = len(early)
		ordered = slices.DeleteFunc(ordered, func(c carried) bool {
			return slices.ContainsFunc(early, func(u disagreement) bool { return u.task == c.task })
		})
		judge = r.judge(t)
		unlike = r.replay(t, judge, ordered)
	}
	for _, u := range unlike {
		if r.opts.Real != "" && u.emptiedInOneBatch(ordered) {
			r.batched++
			continue
		}
		r.violated("call %s: one node ends it as %s, Miroir as %s", u.write.Token, u.one, u.task)
	}
	r.compareWith(t, judge)
	r.compareReplicas(t)
	wrong, r.overSwap = readViolations(r.readsToCheck(), all)
	for _, w := range wrong {
		r.violated("%s", w)
	}
}

// readsToCheck leaves out those behind the first task that fails on one node alone:
// until Miroir hears of it, that copy is read and may have later writes already.
func (r *run) readsToCheck() []*Read {
	for _, f := range r.history.Faults {
		if f.Fault == Fail {
			return slices.DeleteFunc(slices.Clone(r.history.Reads), func(q *Read) bool { return q.Answered >= f.Began })
		}
	}
	return r.history.Reads
}

// judge starts one node, of the kind that the fleet has. A real one takes its tasks
// one by one: put into one batch, a task that fails may take others with it.
func (r *run) judge(t testing.TB) fleet.API {
	t.Helper()
	if r.opts.Real != "" {
		judge := fleet.StartNodeWithKey(t, "judge", r.opts.Real, "", "--experimental-max-number-of-batched-tasks", "1").API
		judge.Do(t, "PATCH", "/experimental-features", editing)
		return judge
	}
	return fleet.API{URL: embedded.RunT(t, embedded.Options{Addr: "127.0.0.1:0", Window: -1}).URL()}
}

// disagreement is a write that one node ends otherwise than Miroir did.
type disagreement struct {
	carried
	one *Task
}

// emptiedInOneBatch reports whether a real server may end the write either way, with the
// same content: it does not look at the filter of a deletion that it has put into one
// batch with the clear or the deletion of the index that comes behind it. The judge
// makes no batches.
func (d disagreement) emptiedInOneBatch(ordered []carried) bool {
	if d.write.Kind != kindDeleteFilter || d.task.Status != "succeeded" || d.one.code() != "invalid_document_filter" {
		return false
	}
	for _, c := range ordered {
		switch {
		case c.task.UID <= d.task.UID:
		case c.write.Kind == kindSwap:
			return false
		case c.write.Index == d.write.Index && (c.write.Kind == kindClear || c.write.Kind == kindDrop):
			return true
		}
	}
	return false
}

// replay gives the judge the writes in the order of their tasks, and says which it
// does not end as the fleet did.
func (r *run) replay(t testing.TB, judge fleet.API, ordered []carried) (unlike []disagreement) {
	t.Helper()
	uids := map[int64]carried{}
	for _, c := range ordered {
		a, err := r.ask(judge.URL, 30*time.Second, c.write.Method, c.write.Path, c.write.Body, c.write.ContentType)
		if err != nil {
			t.Fatalf("replay call %s: %v", c.write.Token, err)
		}
		if a.Status != http.StatusAccepted {
			r.violated("call %s: one node refuses it: %d %s", c.write.Token, a.Status, a.Body)
			continue
		}
		uids[a.TaskUID()] = c
	}
	var page struct{ Results []*Task }
	fleet.Eventually(t, 5*time.Minute, "replay", func() error {
		var open struct{ Total int }
		judge.Get(t, "/tasks?limit=1&statuses=enqueued,processing", &open)
		if open.Total > 0 {
			return fmt.Errorf("%d tasks wait", open.Total)
		}
		return nil
	})
	judge.Get(t, "/tasks?limit=1000000", &page)
	for _, one := range slices.Backward(page.Results) {
		c, ok := uids[one.UID]
		if !ok {
			continue
		}
		if one.Status != c.task.Status || one.code() != c.task.code() {
			unlike = append(unlike, disagreement{c, one})
		}
	}
	return unlike
}

// answered asks until the answer is no 5xx: on a busy machine a node may be looked
// at in vain for a moment.
func answered(t testing.TB, s fleet.API, path, body string) (a *fleet.Answer) {
	t.Helper()
	for limit := time.Now().Add(30 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		if a = s.Do(t, "POST", path, body); a.Status < 500 && a.Degraded() == "" || time.Now().After(limit) {
			return a
		}
	}
}

// listing is what an index holds.
type listing map[string]string // canonical documents by id

// listAll reads all documents of an index, with their vectors.
func (r *run) listAll(t testing.TB, s fleet.API, index string) listing {
	t.Helper()
	a := answered(t, s, "/indexes/"+index+"/documents/fetch", `{"limit":1000,"retrieveVectors":true}`)
	if a.Status == http.StatusNotFound {
		return nil
	}
	var page struct{ Results []Document }
	if a.Status != http.StatusOK || json.Unmarshal(a.Body, &page) != nil {
		r.violated("%s: documents of %s: %d %s (degraded %q)", s.URL, index, a.Status, a.Body, a.Degraded())
		return nil
	}
	out := listing{}
	for _, d := range page.Results {
		if id := d.id(); out[id] != "" {
			r.violated("%s: document %s of %s is there twice", s.URL, id, index)
		}
		out[d.id()] = canonical(d.encode())
	}
	return out
}

// differences lists the documents that two listings do not share.
func differences(got, want listing, gotName, wantName string) []string {
	var out []string
	ids := maps.Clone(want)
	if ids == nil {
		ids = listing{}
	}
	maps.Copy(ids, got)
	for _, id := range slices.Sorted(maps.Keys(ids)) {
		g, inGot := got[id]
		w, inWant := want[id]
		switch {
		case !inGot:
			out = append(out, fmt.Sprintf("document %s is missing from %s; %s has %s", id, gotName, wantName, w))
		case !inWant:
			out = append(out, fmt.Sprintf("document %s is in %s and not in %s: %s", id, gotName, wantName, g))
		case g != w:
			out = append(out, fmt.Sprintf("document %s: %s has %s\n\t\t%s has %s", id, gotName, g, wantName, w))
		}
	}
	return out
}

type indexRow struct {
	UID        string  `json:"uid"`
	PrimaryKey *string `json:"primaryKey"`
}

func indexesOf(t testing.TB, s fleet.API) []indexRow {
	t.Helper()
	var page struct{ Results []indexRow }
	s.Get(t, "/indexes?limit=1000", &page)
	slices.SortFunc(page.Results, func(a, b indexRow) int { return strings.Compare(a.UID, b.UID) })
	return page.Results
}

// compareWith compares what Miroir shows with what the judge shows.
func (r *run) compareWith(t testing.TB, judge fleet.API) {
	t.Helper()
	got, want := indexesOf(t, r.fleet.API), indexesOf(t, judge)
	gotText, _ := json.Marshal(got) // rows have JSON
	wantText, _ := json.Marshal(want)
	if string(gotText) != string(wantText) {
		r.violated("indexes are %s, one node has %s", gotText, wantText)
	}
	for _, row := range want {
		for _, d := range differences(r.listAll(t, r.fleet.API, row.UID), r.listAll(t, judge, row.UID), "Miroir", "one node") {
			r.violated("index %s: %s", row.UID, d)
		}
		path := "/indexes/" + row.UID + "/settings"
		a, b := r.fleet.Do(t, "GET", path, ""), judge.Do(t, "GET", path, "")
		if d := compare.JSON(a.Body, b.Body, nil); len(d) > 0 && a.Status == http.StatusOK {
			r.violated("settings of %s differ from those of one node: %s", row.UID, strings.Join(d, "; "))
		}
		path = "/indexes/" + row.UID + "/search"
		var mine, theirs struct{ TotalHits int }
		if json.Unmarshal(answered(t, r.fleet.API, path, `{"page":1}`).Body, &mine) != nil || json.Unmarshal(answered(t, judge, path, `{"page":1}`).Body, &theirs) != nil || mine != theirs {
			r.violated("a search of %s finds %d documents, on one node %d", row.UID, mine.TotalHits, theirs.TotalHits)
		}
	}
}
