package embedded

import (
	"net/http"
	"slices"
	"time"

	"github.com/miroir-search/miroir/api"
)

func taskRoutes() []route {
	return []route{
		{method: "GET", path: "/tasks", action: "tasks.get", handle: listTasks},
		{method: "DELETE", path: "/tasks", action: "tasks.delete", handle: deleteTasks},
		{method: "POST", path: "/tasks/cancel", action: "tasks.cancel", handle: cancelTasks},
		{method: "GET", path: "/tasks/:task", action: "tasks.get", handle: getTask},
		{method: "GET", path: "/batches", action: "tasks.get", handle: listBatches},
		{method: "GET", path: "/batches/:batch", action: "tasks.get", handle: getBatch},
	}
}

// visible tells whether a caller may see a task.
func (a access) visible(t *api.Task) bool {
	if !a.restricted() {
		return true
	}
	return t.IndexUID != nil && a.allows(*t.IndexUID)
}

func getTask(r *request) (*reply, *api.Error) {
	uid, err := api.ParseTaskUID(r.params["task"])
	if err != nil {
		return nil, err
	}
	r.core.mu.RLock()
	rec := r.core.records[uid]
	r.core.mu.RUnlock()
	if rec == nil || !r.access.visible(rec.task) {
		return nil, api.TaskNotFound(uint64(uid))
	}
	return ok(rec.task)
}

// selectTasks returns the tasks that pass the filters, newest first, and how many do so whoever asks.
func (c *core) selectTasks(q *api.TaskQuery, a access) (list []*api.Task, total uint64) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	for i := len(c.order) - 1; i >= 0; i-- {
		t := c.records[c.order[i]].task
		if !q.Matches(t) {
			if q.CountsOnly(t) {
				total++
			}
			continue
		}
		total++
		if a.visible(t) {
			list = append(list, t)
		}
	}
	return list, total
}

func listTasks(r *request) (*reply, *api.Error) {
	q, err := api.ParseTaskQuery(r.URL.RawQuery)
	if err != nil {
		return nil, err
	}
	all, total := r.core.selectTasks(q, r.access)
	results, from, next := pageByUID(all, q, func(t *api.Task) uint32 { return t.UID })
	return ok(api.TaskList{Results: results, Total: total, Limit: q.Limit, From: from, Next: next})
}

// pageByUID cuts a list that is newest first to the wanted page.
func pageByUID[T any](all []T, q *api.TaskQuery, uid func(T) uint32) (results []T, from, next *uint32) {
	if q.Reverse {
		slices.Reverse(all)
	}
	if q.From != nil {
		all = slices.DeleteFunc(all, func(t T) bool {
			if q.Reverse {
				return uid(t) < *q.From
			}
			return uid(t) > *q.From
		})
	}
	results = []T{}
	if n := int(min(uint64(q.Limit), uint64(len(all)))); n > 0 {
		results = all[:n]
		first := uid(all[0])
		from = &first
	}
	if len(all) > len(results) {
		after := uid(all[len(results)])
		next = &after
	}
	return results, from, next
}

func cancelTasks(r *request) (*reply, *api.Error) {
	return r.frozen("cancel", api.TaskCancelation, opCancel, func(d *api.Details) { d.CanceledTasks = api.NullOpt[uint64]() })
}

func deleteTasks(r *request) (*reply, *api.Error) {
	return r.frozen("delete", api.TaskDeletion, opDeleteTasks, func(d *api.Details) { d.DeletedTasks = api.NullOpt[uint64]() })
}

// frozen enqueues a task over the tasks that match now.
func (r *request) frozen(verb, kind string, op opKind, fill func(d *api.Details)) (*reply, *api.Error) {
	q, err := api.ParseTaskFilters(r.URL.RawQuery, verb)
	if err != nil {
		return nil, err
	}
	list, _ := r.core.selectTasks(q, r.access)
	uids := make([]uint32, len(list))
	for i, t := range list {
		uids[i] = t.UID
	}
	d := &api.Details{MatchedTasks: api.Some(uint64(len(uids))), OriginalFilter: api.Some("?" + r.URL.RawQuery)}
	fill(d)
	t, err := r.core.enqueue(kind, &operation{Kind: op, Tasks: uids}, d, nil)
	if err != nil {
		return nil, err
	}
	return &reply{status: http.StatusOK, body: t.Summary()}, nil
}

type batchView struct {
	UID        uint32        `json:"uid"`
	Progress   any           `json:"progress"`
	Details    *api.Details  `json:"details"`
	Stats      batchStats    `json:"stats"`
	Duration   *api.Duration `json:"duration"`
	StartedAt  *time.Time    `json:"startedAt"`
	FinishedAt *time.Time    `json:"finishedAt"`
	Strategy   string        `json:"batchStrategy"`
}

type batchStats struct {
	Total     int            `json:"totalNbTasks"`
	Status    map[string]int `json:"status"`
	Types     map[string]int `json:"types"`
	IndexUIDs map[string]int `json:"indexUids"`
}

type batchList struct {
	Results []*batchView `json:"results"`
	Total   int          `json:"total"`
	Limit   uint32       `json:"limit"`
	From    *uint32      `json:"from"`
	Next    *uint32      `json:"next"`
}

// batches lists the batches any of whose tasks passes the filters, newest first.
func (c *core) batches(q *api.TaskQuery, a access) []*batchView {
	c.mu.RLock()
	defer c.mu.RUnlock()
	byUID := make(map[uint32]*batchView)
	match := make(map[uint32]bool)
	for _, uid := range c.order {
		rec := c.records[uid]
		t := rec.task
		if t.BatchUID == nil || !a.visible(t) {
			continue
		}
		b := byUID[*t.BatchUID]
		if b == nil {
			b = &batchView{UID: *t.BatchUID, Details: &api.Details{}, Duration: t.Duration, StartedAt: t.StartedAt, FinishedAt: t.FinishedAt,
				Strategy: "batched all enqueued tasks", Stats: batchStats{Status: map[string]int{}, Types: map[string]int{}, IndexUIDs: map[string]int{}}}
			byUID[b.UID] = b
		}
		b.add(rec.atEnd())
		match[b.UID] = match[b.UID] || q.Matches(t)
	}
	out := []*batchView{}
	for uid, b := range byUID {
		if match[uid] {
			out = append(out, b)
		}
	}
	slices.SortFunc(out, func(x, y *batchView) int { return int(int64(y.UID) - int64(x.UID)) })
	return out
}

// add counts a task in and merges its details: counts add up, of everything else the first stays.
func (b *batchView) add(t *api.Task) {
	b.Stats.Total++
	b.Stats.Status[t.Status]++
	b.Stats.Types[t.Type]++
	if t.IndexUID != nil {
		b.Stats.IndexUIDs[*t.IndexUID]++
	}
	if t.Details == nil {
		return
	}
	if b.Stats.Total == 1 {
		d := *t.Details
		if d.PrimaryKey.IsNull() {
			d.PrimaryKey = api.Opt[string]{} // left out in batches
		}
		if d.OriginalFilter.IsNull() {
			d.OriginalFilter = api.Opt[string]{} // this too
		}
		b.Details = &d
		return
	}
	sum := func(dst *api.Opt[uint64], n api.Opt[uint64]) {
		if v, set := n.Get(); set {
			*dst = api.Some(dst.Value() + v)
		} else if dst.IsZero() {
			*dst = n
		}
	}
	sum(&b.Details.ReceivedDocuments, t.Details.ReceivedDocuments)
	sum(&b.Details.IndexedDocuments, t.Details.IndexedDocuments)
	sum(&b.Details.ProvidedIDs, t.Details.ProvidedIDs)
	sum(&b.Details.DeletedDocuments, t.Details.DeletedDocuments)
}

func listBatches(r *request) (*reply, *api.Error) {
	q, err := api.ParseTaskQuery(r.URL.RawQuery)
	if err != nil {
		return nil, err
	}
	all := r.core.batches(q, r.access)
	total := len(all)
	results, from, next := pageByUID(all, q, func(b *batchView) uint32 { return b.UID })
	return ok(batchList{results, total, q.Limit, from, next})
}

func getBatch(r *request) (*reply, *api.Error) {
	text := r.params["batch"]
	uid, err := api.ParseTaskUID(text)
	if err != nil {
		return nil, api.InvalidBatchUID(text)
	}
	for _, b := range r.core.batches(&api.TaskQuery{BatchUIDs: []uint32{uid}}, r.access) {
		return ok(b)
	}
	return nil, api.BatchNotFound(uint64(uid))
}
