package http

import (
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/miroir-search/miroir/api"
	"github.com/miroir-search/miroir/store"
)

func (s *Server) taskRoutes() {
	s.route(http.MethodGet, "/tasks", ActionTasksGet, listTasks)
	s.route(http.MethodGet, "/tasks/:task", ActionTasksGet, getTask)
	s.route(http.MethodGet, "/batches", ActionTasksGet, listBatches)
	s.route(http.MethodGet, "/batches/:batch", ActionTasksGet, getBatch)
}

// taskView is a stored task in Meilisearch's order of keys. Details and error
// are JSON already.
type taskView struct {
	UID        int64           `json:"uid"`
	BatchUID   *int64          `json:"batchUid"`
	IndexUID   *string         `json:"indexUid"`
	Status     string          `json:"status"`
	Type       string          `json:"type"`
	CanceledBy *int64          `json:"canceledBy"`
	Details    json.RawMessage `json:"details,omitempty"`
	Error      json.RawMessage `json:"error"`
	Duration   *api.Duration   `json:"duration"`
	EnqueuedAt time.Time       `json:"enqueuedAt"`
	StartedAt  *time.Time      `json:"startedAt"`
	FinishedAt *time.Time      `json:"finishedAt"`
	Metadata   *string         `json:"customMetadata,omitempty"`
}

func viewTask(t *store.Task) taskView {
	v := taskView{UID: t.UID, Status: t.Status, Type: t.Type, CanceledBy: t.CanceledBy, Details: t.Details,
		Error: t.Error, EnqueuedAt: t.EnqueuedAt.UTC(), StartedAt: utc(t.StartedAt), FinishedAt: utc(t.FinishedAt),
		Duration: duration(t), Metadata: t.CustomMetadata}
	if len(v.Error) == 0 {
		v.Error = json.RawMessage("null")
	}
	if hasBatch(t) {
		v.BatchUID = &t.UID
	}
	if t.IndexUID != "" {
		v.IndexUID = &t.IndexUID
	}
	return v
}

func utc(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

func duration(t *store.Task) *api.Duration {
	if t.StartedAt.IsZero() || t.FinishedAt.IsZero() {
		return nil
	}
	d := api.Duration(t.FinishedAt.Sub(t.StartedAt))
	return &d
}

// hasBatch: every task that left the queue is a batch of its own.
func hasBatch(t *store.Task) bool { return t.Status != api.Enqueued }

var batchStatuses = []string{api.Processing, api.Succeeded, api.Failed, api.Canceled}

// listing is the envelope of tasks and batches.
type listing[T any] struct {
	Results []T    `json:"results"`
	Total   int64  `json:"total"`
	Limit   uint32 `json:"limit"`
	From    *int64 `json:"from"`
	Next    *int64 `json:"next"`
}

func listTasks(c *call) error { return listWork(c, nil, viewTask) }

func listBatches(c *call) error { return listWork(c, batchStatuses, viewBatch) }

// listWork lists tasks, of the given states when there are any.
func listWork[T any](c *call, statuses []string, view func(*store.Task) T) error {
	q, bad := api.ParseTaskQuery(c.query())
	if bad != nil {
		return bad
	}
	out := listing[T]{Results: []T{}, Limit: q.Limit}
	stored, some := c.storeQuery(q, statuses)
	if some {
		found, err := c.s.opts.Door.Tasks(c.ctx(), stored)
		if err != nil {
			return err
		}
		for _, t := range found.Tasks {
			out.Results = append(out.Results, view(t))
		}
		out.Total, out.From, out.Next = found.Total, found.From, found.Next
	}
	return c.json(http.StatusOK, out)
}

// storeQuery translates a query; some is false when nothing can match it.
func (c *call) storeQuery(q *api.TaskQuery, statuses []string) (out *store.TaskQuery, some bool) {
	out = &store.TaskQuery{
		UIDs: wide(q.UIDs), CanceledBy: wide(q.CanceledBy), Statuses: q.Statuses, Types: q.Types, IndexUIDs: q.IndexUIDs,
		AfterEnqueuedAt: at(q.AfterEnqueuedAt), BeforeEnqueued: at(q.BeforeEnqueuedAt),
		AfterStartedAt: at(q.AfterStartedAt), BeforeStartedAt: at(q.BeforeStartedAt),
		AfterFinishedAt: at(q.AfterFinishedAt), BeforeFinished: at(q.BeforeFinishedAt),
		Limit: int(q.Limit), Reverse: q.Reverse,
	}
	if q.From != nil {
		from := int64(*q.From)
		out.From = &from
	}
	if q.BatchUIDs != nil { // the batch of a task has the task's own uid
		out.UIDs = both(out.UIDs, wide(q.BatchUIDs))
		statuses = batchStatuses
	}
	if statuses != nil {
		out.Statuses = both(out.Statuses, statuses)
	}
	if c.grant.Allowed != nil {
		out.AllowedIndexes = []string{}
		for _, i := range c.s.opts.Door.Indexes() {
			if c.grant.Allowed(i.UID) {
				out.AllowedIndexes = append(out.AllowedIndexes, i.UID)
			}
		}
	}
	some = matchesSome(out.UIDs) && matchesSome(out.CanceledBy) && matchesSome(out.Statuses) && matchesSome(out.Types) &&
		matchesSome(out.IndexUIDs)
	return out, some
}

// matchesSome: a list that was given but is empty matches nothing.
func matchesSome[T any](list []T) bool { return list == nil || len(list) > 0 }

// both keeps what two lists share; nil stands for everything.
func both[T comparable](a, b []T) []T {
	switch {
	case a == nil:
		return b
	case b == nil:
		return a
	}
	out := []T{}
	for _, x := range a {
		if slices.Contains(b, x) {
			out = append(out, x)
		}
	}
	return out
}

func wide(list []uint32) []int64 {
	if list == nil {
		return nil
	}
	out := make([]int64, len(list))
	for i, n := range list {
		out[i] = int64(n)
	}
	return out
}

func at(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return *t
}

// task finds a task that the token may see.
func (c *call) task(uid uint32) (*store.Task, error) {
	t, err := c.s.opts.Door.Task(c.ctx(), int64(uid))
	if err != nil {
		return nil, err
	}
	if c.grant.Allowed != nil && (t.IndexUID == "" || !c.grant.Allowed(t.IndexUID)) {
		return nil, store.ErrNotFound
	}
	return t, nil
}

// taskInPath finds the task that the path names.
func (c *call) taskInPath() (*store.Task, error) {
	uid, bad := api.ParseTaskUID(c.param("task"))
	if bad != nil {
		return nil, bad
	}
	t, err := c.task(uid)
	if errors.Is(err, store.ErrNotFound) {
		return nil, api.TaskNotFound(uint64(uid))
	}
	return t, err
}

func getTask(c *call) error {
	t, err := c.taskInPath()
	if err != nil {
		return err
	}
	return c.json(http.StatusOK, viewTask(t))
}

// batchView is a task as the only one of its batch.
type batchView struct {
	UID      int64           `json:"uid"`
	Progress any             `json:"progress"`
	Details  json.RawMessage `json:"details"`
	Stats    struct {
		Total     int            `json:"totalNbTasks"`
		Status    map[string]int `json:"status"`
		Types     map[string]int `json:"types"`
		IndexUIDs map[string]int `json:"indexUids"`
	} `json:"stats"`
	Duration   *api.Duration `json:"duration"`
	StartedAt  *time.Time    `json:"startedAt"`
	FinishedAt *time.Time    `json:"finishedAt"`
	Strategy   string        `json:"batchStrategy"`
}

func viewBatch(t *store.Task) batchView {
	v := batchView{UID: t.UID, Details: t.Details, Duration: duration(t), StartedAt: utc(t.StartedAt), FinishedAt: utc(t.FinishedAt),
		Strategy: "every task is a batch of its own"}
	if len(v.Details) == 0 {
		v.Details = json.RawMessage("{}")
	}
	v.Stats.Total = 1
	v.Stats.Status, v.Stats.Types = map[string]int{t.Status: 1}, map[string]int{t.Type: 1}
	v.Stats.IndexUIDs = map[string]int{}
	if t.IndexUID != "" {
		v.Stats.IndexUIDs[t.IndexUID] = 1
	}
	return v
}

func getBatch(c *call) error {
	text := c.param("batch")
	uid, bad := api.ParseTaskUID(text)
	if bad != nil {
		return api.InvalidBatchUID(text)
	}
	t, err := c.task(uid)
	if errors.Is(err, store.ErrNotFound) || err == nil && !hasBatch(t) {
		return api.BatchNotFound(uint64(uid))
	}
	if err != nil {
		return err
	}
	return c.json(http.StatusOK, viewBatch(t))
}
