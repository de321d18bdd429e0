package http

import (
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/miroir-search/miroir/api"
	"github.com/miroir-search/miroir/messages"
	"github.com/miroir-search/miroir/rawjson"
	"github.com/miroir-search/miroir/store"
)

func (s *Server) taskRoutes() {
	s.route(http.MethodGet, "/tasks", ActionTasksGet, listTasks)
	s.route(http.MethodDelete, "/tasks", ActionTasksDelete, deleteTasks)
	s.route(http.MethodPost, "/tasks/cancel", ActionTasksCancel, cancelTasks)
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

// TaskJSON is a task as clients see it.
func TaskJSON(t *store.Task) ([]byte, error) { return api.Marshal(viewTask(t)) }

func viewTask(t *store.Task) taskView {
	v := taskView{UID: t.UID, Status: t.Status, Type: t.Type, CanceledBy: t.CanceledBy, Details: t.Details,
		Error: t.Error, EnqueuedAt: t.EnqueuedAt.UTC(), StartedAt: utc(t.StartedAt), FinishedAt: utc(t.FinishedAt),
		Duration: duration(t), Metadata: t.CustomMetadata}
	if len(v.Error) == 0 {
		v.Error = json.RawMessage("null")
	}
	switch {
	case t.Status == api.Canceled:
		v.BatchUID = t.CanceledBy
	case t.Status != api.Enqueued:
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

// Every task that left the queue is a batch of its own, but for canceled ones: they
// belong to the batch of their cancelation.
var batchStatuses = []string{api.Processing, api.Succeeded, api.Failed}

// listing is the envelope of tasks and batches.
type listing[T any] struct {
	Results []T    `json:"results"`
	Total   int64  `json:"total"`
	Limit   uint32 `json:"limit"`
	From    *int64 `json:"from"`
	Next    *int64 `json:"next"`
}

func listTasks(c *call) error {
	return listWork(c, nil, func(t *store.Task) (taskView, error) { return viewTask(t), nil })
}

func listBatches(c *call) error { return listWork(c, batchStatuses, c.viewBatch) }

// listWork lists tasks, of the given states when there are any.
func listWork[T any](c *call, statuses []string, view func(*store.Task) (T, error)) error {
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
			v, err := view(t)
			if err != nil {
				return err
			}
			out.Results = append(out.Results, v)
		}
		out.Total, out.From, out.Next = found.Total, found.From, found.Next
	}
	return c.json(http.StatusOK, out)
}

// storeQuery translates a query; some is false when nothing can match it.
func (c *call) storeQuery(q *api.TaskQuery, statuses []string) (out *store.TaskQuery, some bool) {
	out = &store.TaskQuery{
		UIDs: wide(q.UIDs), CanceledBy: wide(q.CanceledBy), BatchUIDs: wide(q.BatchUIDs), Statuses: q.Statuses, Types: q.Types, IndexUIDs: q.IndexUIDs,
		AfterEnqueuedAt: at(q.AfterEnqueuedAt), BeforeEnqueued: at(q.BeforeEnqueuedAt),
		AfterStartedAt: at(q.AfterStartedAt), BeforeStartedAt: at(q.BeforeStartedAt),
		AfterFinishedAt: at(q.AfterFinishedAt), BeforeFinished: at(q.BeforeFinishedAt),
		Limit: int(q.Limit), Reverse: q.Reverse,
	}
	if q.From != nil {
		from := int64(*q.From)
		out.From = &from
	}
	if statuses != nil {
		out.Statuses = both(out.Statuses, statuses)
	}
	if c.grant.Allowed != nil {
		out.AllowedIndexes = append([]string{}, c.grant.Patterns...) // never nil, which would be all
	}
	some = matchesSome(out.UIDs) && matchesSome(out.CanceledBy) && matchesSome(out.BatchUIDs) && matchesSome(out.Statuses) && matchesSome(out.Types) &&
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

// getTaskDocuments is about what a task was sent, which is gone when it has ended.
func getTaskDocuments(c *call) error {
	t, err := c.taskInPath()
	if err != nil {
		return err
	}
	if t.Finished() || t.Type != api.DocumentAdditionOrUpdate {
		return api.Errorf("task_file_not_found", "Task `%d` does not contain any documents. Only `documentAdditionOrUpdate` tasks with "+
			"the statuses `enqueued` or `processing` contain documents", t.UID)
	}
	return notSupported("Miroir does not give back the documents of a task that has not ended. Wait for its end, and read them with GET /indexes/{uid}/documents.")
}

func cancelTasks(c *call) error {
	sel, options, err := c.taskSelection("cancel")
	if err != nil {
		return err
	}
	return c.changeWith(http.StatusOK, &messages.CancelTasks{TaskSelection: *sel, WriteOptions: options})
}

func deleteTasks(c *call) error {
	sel, options, err := c.taskSelection("delete")
	if err != nil {
		return err
	}
	return c.changeWith(http.StatusOK, &messages.DeleteTasks{TaskSelection: *sel, WriteOptions: options})
}

// taskSelection reads which tasks to cancel or delete.
func (c *call) taskSelection(verb string) (*messages.TaskSelection, messages.WriteOptions, error) {
	q, bad := api.ParseTaskFilters(c.query(), verb)
	if bad != nil {
		return nil, messages.WriteOptions{}, bad
	}
	sel := &messages.TaskSelection{Filter: "?" + c.query()}
	if stored, some := c.storeQuery(q, nil); some {
		sel.Query = stored
	}
	options, err := c.writeOptions(nil)
	return sel, options, err
}

// batchView is a task as a batch, with the tasks that it canceled.
type batchView struct {
	UID        int64           `json:"uid"`
	Progress   any             `json:"progress"`
	Details    json.RawMessage `json:"details"`
	Stats      batchStats      `json:"stats"`
	Duration   *api.Duration   `json:"duration"`
	StartedAt  *time.Time      `json:"startedAt"`
	FinishedAt *time.Time      `json:"finishedAt"`
	Strategy   string          `json:"batchStrategy"`
}

type batchStats struct {
	Total     int            `json:"totalNbTasks"`
	Status    map[string]int `json:"status"`
	Types     map[string]int `json:"types"`
	IndexUIDs map[string]int `json:"indexUids"`
	// Trace is how long each step took, by name; nil before the end.
	Trace map[string]string `json:"progressTrace,omitempty"`
}

func (s *batchStats) add(t *store.Task) {
	s.Total++
	s.Status[t.Status]++
	s.Types[t.Type]++
	if t.IndexUID != "" {
		s.IndexUIDs[t.IndexUID]++
	}
}

// viewBatch shows a task as a batch.
func (c *call) viewBatch(t *store.Task) (batchView, error) {
	v := batchView{UID: t.UID, Details: json.RawMessage("{}"), Duration: duration(t), StartedAt: utc(t.StartedAt), FinishedAt: utc(t.FinishedAt),
		Stats:    batchStats{Status: map[string]int{}, Types: map[string]int{}, IndexUIDs: map[string]int{}},
		Strategy: "every task is a batch of its own"}
	v.Stats.add(t)
	if v.Duration != nil {
		v.Stats.Trace = map[string]string{"processing tasks": time.Duration(*v.Duration).String()}
	}
	if len(t.Details) > 0 {
		v.Details = batchDetails(t.Details)
	}
	if t.Type != api.TaskCancelation || t.Status != api.Succeeded {
		return v, nil
	}
	q := &store.TaskQuery{CanceledBy: []int64{t.UID}, Limit: 1000}
	for {
		page, err := c.s.opts.Door.Tasks(c.ctx(), q)
		if err != nil {
			return v, err
		}
		for _, canceled := range page.Tasks {
			v.Stats.add(canceled)
			v.Details = addDetails(v.Details, canceled.Details)
		}
		if q.From = page.Next; q.From == nil {
			return v, nil
		}
	}
}

// batchDetails are a task's details as its batch shows them: Meilisearch leaves out
// what is null there.
func batchDetails(details json.RawMessage) json.RawMessage {
	return rawjson.Remove(nil, details, func(key []byte) bool {
		name := string(key)
		if name != "primaryKey" && name != "originalFilter" {
			return false
		}
		v, ok := rawjson.Get(details, name)
		return ok && string(v) == "null"
	})
}

// addDetails adds a canceled task's details to those of its batch: counts add up.
func addDetails(into, details json.RawMessage) json.RawMessage {
	number := func(obj json.RawMessage, name string) (n int64, ok bool) {
		v, found := rawjson.Get(obj, name)
		return n, found && json.Unmarshal(v, &n) == nil
	}
	for _, name := range []string{"receivedDocuments", "indexedDocuments", "providedIds", "deletedDocuments"} {
		if n, ok := number(details, name); ok {
			before, _ := number(into, name)
			into = rawjson.Set(nil, into, name, strconv.AppendInt(nil, before+n, 10))
		}
	}
	return into
}

func getBatch(c *call) error {
	text := c.param("batch")
	uid, bad := api.ParseTaskUID(text)
	if bad != nil {
		return api.InvalidBatchUID(text)
	}
	t, err := c.task(uid)
	if errors.Is(err, store.ErrNotFound) || err == nil && !slices.Contains(batchStatuses, t.Status) {
		return api.BatchNotFound(uint64(uid))
	}
	if err != nil {
		return err
	}
	v, err := c.viewBatch(t)
	if err != nil {
		return err
	}
	return c.json(http.StatusOK, v)
}
