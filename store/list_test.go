package store

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// naivePage is the listing as one would say it.
func naivePage(all []*Task, q *TaskQuery) *TaskPage {
	page := &TaskPage{}
	var shown []*Task
	for _, t := range all {
		if !naiveMatch(t, q) {
			continue
		}
		page.Total++
		if q.AllowedIndexes != nil && !slices.ContainsFunc(q.AllowedIndexes, func(a string) bool {
			prefix, isPrefix := strings.CutSuffix(a, "*")
			return a == "*" || (t.IndexUID != "" && (a == t.IndexUID || (isPrefix && strings.HasPrefix(t.IndexUID, prefix))))
		}) {
			continue
		}
		if q.From != nil && ((q.Reverse && t.UID < *q.From) || (!q.Reverse && t.UID > *q.From)) {
			continue
		}
		shown = append(shown, t)
	}
	if !q.Reverse {
		slices.Reverse(shown)
	}
	if len(shown) > q.Limit {
		page.Next = &shown[q.Limit].UID
		shown = shown[:q.Limit]
	}
	if len(shown) > 0 {
		page.From, page.Tasks = &shown[0].UID, shown
	}
	return page
}

// naiveMatching is every task that a listing without paging would show.
func naiveMatching(all []*Task, q *TaskQuery) []int64 {
	whole := *q
	whole.Limit, whole.From, whole.Reverse = len(all), nil, true
	var uids []int64
	for _, t := range naivePage(all, &whole).Tasks {
		uids = append(uids, t.UID)
	}
	return uids
}

// naiveBatch is the batch of a task, -1 for none.
func naiveBatch(t *Task) int64 {
	switch {
	case t.Status == "enqueued":
		return -1
	case t.Status == "canceled":
		return *t.CanceledBy
	}
	return t.UID
}

func naiveMatch(t *Task, q *TaskQuery) bool {
	in := func(list []string, v string) bool { return len(list) == 0 || slices.Contains(list, v) }
	between := func(v, after, before time.Time) bool {
		if after.IsZero() && before.IsZero() {
			return true
		}
		return !v.IsZero() && (after.IsZero() || v.After(after)) && (before.IsZero() || v.Before(before))
	}
	return (len(q.UIDs) == 0 || slices.Contains(q.UIDs, t.UID)) &&
		(len(q.CanceledBy) == 0 || (t.CanceledBy != nil && slices.Contains(q.CanceledBy, *t.CanceledBy))) &&
		(len(q.BatchUIDs) == 0 || slices.Contains(q.BatchUIDs, naiveBatch(t))) &&
		in(q.Statuses, t.Status) && in(q.Types, t.Type) && in(q.IndexUIDs, t.IndexUID) &&
		between(t.EnqueuedAt, q.AfterEnqueuedAt, q.BeforeEnqueued) &&
		between(t.StartedAt, q.AfterStartedAt, q.BeforeStartedAt) &&
		between(t.FinishedAt, q.AfterFinishedAt, q.BeforeFinished)
}

// listVocabulary makes random tasks and queries that have a chance to meet.
type listVocabulary struct {
	r       *rand.Rand
	indexes []string
}

func (v listVocabulary) some(from []string, max int) []string {
	if v.r.IntN(3) > 0 {
		return nil
	}
	var out []string
	for range v.r.IntN(max) + 1 {
		out = append(out, from[v.r.IntN(len(from))])
	}
	return out
}

var (
	listStatuses = []string{"enqueued", "processing", "succeeded", "failed", "canceled", "unheard"}
	listTypes    = []string{"documentAdditionOrUpdate", "indexCreation", "settingsUpdate", "dumpCreation"}
)

func (v listVocabulary) when() time.Time {
	switch v.r.IntN(30) {
	case 0:
		return time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC)
	case 1:
		return time.Date(2, 1, 1, 0, 0, 0, 0, time.UTC)
	}
	return t0.Add(time.Duration(v.r.IntN(300)) * time.Second)
}

func (v listVocabulary) task(n int) *Task {
	t := newTask(n)
	t.IndexUID = v.indexes[v.r.IntN(len(v.indexes))]
	t.Status, t.Type = listStatuses[v.r.IntN(5)], listTypes[v.r.IntN(len(listTypes))]
	t.EnqueuedAt = t0.Add(time.Duration(n+v.r.IntN(5)) * time.Second)
	if t.Status != "enqueued" {
		t.StartedAt = t.EnqueuedAt.Add(time.Duration(v.r.IntN(20)) * time.Second)
	}
	if t.Finished() {
		t.FinishedAt = t.EnqueuedAt.Add(time.Duration(20+v.r.IntN(20)) * time.Second)
	}
	if t.Status == "canceled" {
		by := int64(v.r.IntN(4))
		t.CanceledBy = &by
	}
	return t
}

func (v listVocabulary) query() *TaskQuery {
	q := &TaskQuery{Limit: v.r.IntN(25), Reverse: v.r.IntN(2) == 0, Statuses: v.some(listStatuses, 3),
		Types: v.some(listTypes, 2), IndexUIDs: v.some(append(v.indexes, "nobody's"), 3)}
	if v.r.IntN(4) == 0 {
		q.AllowedIndexes = append([]string{}, v.some([]string{v.indexes[1], v.indexes[2], "i1*", "*", "x*"}, 3)...)
	}
	if v.r.IntN(6) == 0 {
		for range v.r.IntN(30) + 1 {
			q.UIDs = append(q.UIDs, int64(v.r.IntN(320)))
		}
	}
	if v.r.IntN(6) == 0 {
		q.CanceledBy = []int64{int64(v.r.IntN(5)), int64(v.r.IntN(5))}
	}
	if v.r.IntN(6) == 0 {
		q.BatchUIDs = []int64{int64(v.r.IntN(320)), int64(v.r.IntN(5)), int64(v.r.IntN(5))}
	}
	for _, at := range []*time.Time{&q.AfterEnqueuedAt, &q.BeforeEnqueued, &q.AfterStartedAt, &q.BeforeStartedAt,
		&q.AfterFinishedAt, &q.BeforeFinished} {
		if v.r.IntN(6) == 0 {
			*at = v.when()
		}
	}
	if v.r.IntN(3) == 0 {
		from := int64(v.r.IntN(330) - 10)
		q.From = &from
	}
	return q
}

func TestListingEqualsTheNaiveOne(t *testing.T) {
	queries := 250
	if os.Getenv("MIROIR_LONG") != "" {
		queries = 1500
	}
	for name, indexes := range map[string]int{"few indexes": 6, "more indexes than a page is merged from": 150} {
		t.Run(name, func(t *testing.T) {
			v := listVocabulary{r: rand.New(rand.NewPCG(1, 2)), indexes: []string{""}} //nolint:gosec // repeatable
			for i := range indexes {
				v.indexes = append(v.indexes, fmt.Sprintf("i%d", i))
			}
			s := memory(t, Options{})
			b := &Batch{}
			for n := range 300 {
				b.Tasks = append(b.Tasks, v.task(n))
			}
			commitT(t, s, b)
			all := b.Tasks
			for i := range queries {
				if i%100 == 99 {
					all = v.change(t, s, all)
				}
				q := v.query()
				got, err := s.Tasks(context.Background(), q)
				if err != nil {
					t.Fatalf("%s: %v", dump(q), err)
				}
				if want := naivePage(all, q); dump(got) != dump(want) {
					t.Fatalf("%s\ngot %s\nwant %s", dump(q), dump(got), dump(want))
				}
				matching, err := s.MatchingTasks(context.Background(), q)
				if err != nil {
					t.Fatalf("%s: %v", dump(q), err)
				}
				if want := naiveMatching(all, q); !slices.Equal(matching, want) {
					t.Fatalf("%s\nmatching %v\nwant %v", dump(q), matching, want)
				}
			}
		})
	}
}

// change finishes, renames and forgets some tasks.
func (v listVocabulary) change(t *testing.T, s *disk, all []*Task) []*Task {
	t.Helper()
	b := &Batch{}
	kept := all[:0:0]
	for _, task := range all {
		switch v.r.IntN(30) {
		case 0:
			fresh := v.task(int(task.UID))
			fresh.UID = task.UID
			b.Tasks = append(b.Tasks, fresh)
			task = fresh
		case 1:
			b.ForgetTasks = append(b.ForgetTasks, task.UID)
			continue
		}
		kept = append(kept, task)
	}
	commitT(t, s, b)
	return kept
}

func TestPagesFollowEachOther(t *testing.T) {
	s := memory(t, Options{})
	b := &Batch{}
	for n := range 95 {
		b.Tasks = append(b.Tasks, newTask(n))
	}
	commitT(t, s, b)
	for _, reverse := range []bool{false, true} {
		var seen []int64
		q := &TaskQuery{Limit: 10, Reverse: reverse, IndexUIDs: []string{"movies"}}
		for pages := 0; ; pages++ {
			page, err := s.Tasks(context.Background(), q)
			if err != nil || page.Total != 95 || *page.From != page.Tasks[0].UID {
				t.Fatalf("page %s (%v)", dump(page), err)
			}
			for _, task := range page.Tasks {
				seen = append(seen, task.UID)
			}
			if q.From = page.Next; q.From == nil {
				break
			}
		}
		if !reverse {
			slices.Reverse(seen)
		}
		if len(seen) != 95 || !slices.IsSorted(seen) {
			t.Fatalf("reverse %v: seen %v", reverse, seen)
		}
	}
}

func TestSwapsCountForTheIndexesThatTheyName(t *testing.T) {
	s := memory(t, Options{})
	b := &Batch{}
	for i, details := range []string{`{"swaps":[{"indexes":["a","b"],"rename":false},{"indexes":["c","d"],"rename":true}]}`, `{"swaps":[{"indexes":["a","x"],"rename":false}]}`, `null`} {
		task := newTask(i)
		task.IndexUID, task.Type, task.Status, task.Details = "", "indexSwap", []string{"succeeded", "failed", "failed"}[i], []byte(details)
		b.Tasks = append(b.Tasks, task)
	}
	other := newTask(3)
	other.IndexUID, other.Status = "a", "succeeded"
	b.Tasks = append(b.Tasks, other)
	commitT(t, s, b)
	for _, c := range []struct {
		q     TaskQuery
		total int64
		shown int
	}{
		{TaskQuery{IndexUIDs: []string{"a"}}, 3, 1},
		{TaskQuery{IndexUIDs: []string{"d", "x"}}, 2, 0},
		{TaskQuery{IndexUIDs: []string{"a"}, Statuses: []string{"failed"}}, 1, 0},
		{TaskQuery{IndexUIDs: []string{"a"}, Types: []string{other.Type}}, 1, 1},
		{TaskQuery{IndexUIDs: []string{"a"}, UIDs: []int64{b.Tasks[1].UID}}, 1, 0},
		{TaskQuery{IndexUIDs: []string{"nobody"}}, 0, 0},
		{TaskQuery{}, 4, 4},
	} {
		c.q.Limit = 10
		page, err := s.Tasks(context.Background(), &c.q)
		if err != nil || page.Total != c.total || len(page.Tasks) != c.shown {
			t.Errorf("%s: %s (%v)", dump(&c.q), dump(page), err)
		}
	}
}
