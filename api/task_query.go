package api

import (
	"slices"
	"strconv"
	"time"
)

// TaskQuery selects tasks or batches. A nil list does not filter; an empty one matches nothing.
type TaskQuery struct {
	Limit   uint32
	From    *uint32
	Reverse bool

	BatchUIDs, UIDs, CanceledBy []uint32
	Types, Statuses, IndexUIDs  []string

	AfterEnqueuedAt, BeforeEnqueuedAt *time.Time
	AfterStartedAt, BeforeStartedAt   *time.Time
	AfterFinishedAt, BeforeFinishedAt *time.Time

	// Filtered tells whether any filter was sent at all, `*` included.
	Filtered bool
}

const (
	codeTaskUIDs  = "invalid_task_uids"
	codeBatchUIDs = "invalid_batch_uids"
)

// ParseTaskQuery reads the parameters of GET /tasks and GET /batches.
func ParseTaskQuery(raw string) (*TaskQuery, *Error) {
	q := &TaskQuery{Limit: 20}
	fields := []Field{
		{Name: "limit", Into: ParamUint32("invalid_task_limit", &q.Limit)},
		{Name: "from", Into: Maybe("invalid_task_from", &q.From, ParamUint32)},
		{Name: "reverse", Into: ParamBool("invalid_task_reverse", &q.Reverse)},
		{Name: "batchUids", Into: ParamStarList(codeBatchUIDs, &q.BatchUIDs, parseUint32)},
		{Name: "uids", Into: ParamStarList(codeTaskUIDs, &q.UIDs, parseUint32)},
	}
	return q, DecodeQuery(raw, append(fields, q.commonFields()...))
}

// ParseTaskFilters reads the parameters of cancelling ("cancel") or deleting ("delete") tasks: the same filters
// without paging, of which at least one must be sent.
func ParseTaskFilters(raw, verb string) (*TaskQuery, *Error) {
	q := &TaskQuery{}
	fields := []Field{
		{Name: "uids", Into: ParamStarList(codeTaskUIDs, &q.UIDs, parseUint32)},
		{Name: "batchUids", Into: ParamStarList(codeBatchUIDs, &q.BatchUIDs, parseUint32)},
	}
	if err := DecodeQuery(raw, append(fields, q.commonFields()...)); err != nil {
		return nil, err
	}
	if q.Filtered = len(ParseQuery(raw).Obj) > 0; !q.Filtered {
		return nil, MissingTaskFilters(verb)
	}
	return q, nil
}

func (q *TaskQuery) commonFields() []Field {
	parseUID := func(s string) (string, string) {
		if !ValidIndexUID(s) {
			return "", invalidIndexUIDText(s)
		}
		return s, ""
	}
	return []Field{
		{Name: "canceledBy", Into: ParamStarList("invalid_task_canceled_by", &q.CanceledBy, parseUint32)},
		{Name: "types", Into: ParamStarList("invalid_task_types", &q.Types, ParseTaskType)},
		{Name: "statuses", Into: ParamStarList("invalid_task_statuses", &q.Statuses, ParseTaskStatus)},
		{Name: "indexUids", Into: ParamStarList("invalid_index_uid", &q.IndexUIDs, parseUID)},
		{Name: "afterEnqueuedAt", Into: paramDate("invalid_task_after_enqueued_at", &q.AfterEnqueuedAt, true)},
		{Name: "beforeEnqueuedAt", Into: paramDate("invalid_task_before_enqueued_at", &q.BeforeEnqueuedAt, false)},
		{Name: "afterStartedAt", Into: paramDate("invalid_task_after_started_at", &q.AfterStartedAt, true)},
		{Name: "beforeStartedAt", Into: paramDate("invalid_task_before_started_at", &q.BeforeStartedAt, false)},
		{Name: "afterFinishedAt", Into: paramDate("invalid_task_after_finished_at", &q.AfterFinishedAt, true)},
		{Name: "beforeFinishedAt", Into: paramDate("invalid_task_before_finished_at", &q.BeforeFinishedAt, false)},
	}
}

func paramDate(code string, dst **time.Time, after bool) Into {
	return func(v Value, at At) *Error {
		if v.Str == "*" {
			*dst = nil
			return nil
		}
		t, ok := parseTaskDate(v.Str, after)
		if !ok {
			return Invalid(code, at,
				"`"+v.Str+"` is an invalid date-time. It should follow the YYYY-MM-DD or RFC 3339 date-time format.")
		}
		*dst = &t
		return nil
	}
}

// Matches tells whether a task passes the filters; paging plays no part. Date bounds are exclusive, and a task without
// the date does not pass.
func (q *TaskQuery) Matches(t *Task) bool {
	return q.matchesRest(t) && (q.IndexUIDs == nil || q.matchesIndex(t))
}

// CountsOnly tells that a task is counted but not listed: a swap that names one of the indexes of the filter.
func (q *TaskQuery) CountsOnly(t *Task) bool {
	if q.IndexUIDs == nil || t.Details == nil || !q.matchesRest(t) {
		return false
	}
	return slices.ContainsFunc(t.Details.Swaps.Value(), func(s Swap) bool {
		return slices.ContainsFunc(s.Indexes, func(uid string) bool { return slices.Contains(q.IndexUIDs, uid) })
	})
}

// matchesRest applies all filters but that of the index.
func (q *TaskQuery) matchesRest(t *Task) bool {
	in := func(list []uint32, uid *uint32) bool {
		return list == nil || uid != nil && slices.Contains(list, *uid)
	}
	within := func(after, before, at *time.Time) bool {
		if at == nil {
			return after == nil && before == nil
		}
		return (after == nil || at.After(*after)) && (before == nil || at.Before(*before))
	}
	if !in(q.UIDs, &t.UID) || !in(q.BatchUIDs, t.BatchUID) || !in(q.CanceledBy, t.CanceledBy) {
		return false
	}
	if q.Types != nil && !slices.Contains(q.Types, t.Type) || q.Statuses != nil && !slices.Contains(q.Statuses, t.Status) {
		return false
	}
	return within(q.AfterEnqueuedAt, q.BeforeEnqueuedAt, &t.EnqueuedAt) &&
		within(q.AfterStartedAt, q.BeforeStartedAt, t.StartedAt) &&
		within(q.AfterFinishedAt, q.BeforeFinishedAt, t.FinishedAt)
}

// matchesIndex tells whether a task belongs to an index of the filter; one that renames belongs to both names.
func (q *TaskQuery) matchesIndex(t *Task) bool {
	if t.IndexUID != nil && slices.Contains(q.IndexUIDs, *t.IndexUID) {
		return true
	}
	return t.Details != nil && t.Details.NewIndexUID.IsSet() && slices.Contains(q.IndexUIDs, t.Details.NewIndexUID.Value())
}

// ParseTaskUID reads the uid in a path such as /tasks/12.
func ParseTaskUID(text string) (uint32, *Error) {
	n, err := strconv.ParseUint(text, 10, 32)
	if err != nil {
		return 0, InvalidTaskUID(text)
	}
	return uint32(n), nil
}
