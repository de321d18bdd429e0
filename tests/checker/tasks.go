package checker

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// Task is a task as the API shows it.
type Task struct {
	UID            int64           `json:"uid"`
	IndexUID       *string         `json:"indexUid"`
	Status         string          `json:"status"`
	Type           string          `json:"type"`
	CustomMetadata *string         `json:"customMetadata"`
	Details        json.RawMessage `json:"details"`
	Error          *struct {
		Message string `json:"message"`
		Code    string `json:"code"`
		Type    string `json:"type"`
	} `json:"error"`
}

func (t *Task) code() string {
	if t.Error == nil {
		return ""
	}
	return t.Error.Code
}

// ours reports whether a task failed for a reason of the fleet, not of the request.
func (t *Task) ours() bool {
	return t.Status != "succeeded" && t.Error != nil && (strings.HasPrefix(t.Error.Code, "miroir_") || t.Error.Type == "internal" || t.Error.Type == "system")
}

func (t *Task) String() string {
	index := "no index"
	if t.IndexUID != nil {
		index = *t.IndexUID
	}
	text := fmt.Sprintf("task %d (%s of %s, %s", t.UID, t.Type, index, t.Status)
	if t.CustomMetadata != nil {
		text += ", of call " + *t.CustomMetadata
	}
	if t.Error != nil {
		text += ", " + t.Error.Code + ": " + t.Error.Message
	}
	return text + ")"
}

// listTasks reads all tasks, oldest first.
func (r *run) listTasks() ([]*Task, error) {
	a, err := r.ask(r.fleet.Proxy.URL, 10*time.Second, "GET", "/tasks?limit=1000000", "", "")
	if err != nil {
		return nil, err
	}
	var page struct{ Results []*Task }
	if err := json.Unmarshal(a.Body, &page); err != nil || a.Status != http.StatusOK {
		return nil, fmt.Errorf("list tasks: %d %s (%w)", a.Status, a.Body, err)
	}
	slices.Reverse(page.Results)
	return page.Results, nil
}

// carried is a write with the task that it became.
type carried struct {
	task  *Task
	write *Write
}

// match finds the write behind every task, by uid, and says what does not fit.
func match(writes []*Write, tasks []*Task) (all []carried, wrong []string) {
	complain := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
	byUID, byToken := map[int64]*Task{}, map[string]*Write{}
	for i, t := range tasks {
		byUID[t.UID] = t
		if t.UID != int64(i) {
			complain("task %d is the %d. of the list: uids are not dense", t.UID, i+1)
		}
	}
	taken := map[int64]*Write{}
	for _, w := range writes {
		byToken[w.Token] = w
		if w.Outcome != Acknowledged {
			continue
		}
		t := byUID[w.Task]
		switch {
		case t == nil:
			complain("lost: call %s was acknowledged as task %d, which is not there", w.Token, w.Task)
		case taken[w.Task] != nil:
			complain("calls %s and %s were both told of task %d", taken[w.Task].Token, w.Token, w.Task)
		case !fits(w, t, tasks):
			complain("call %s (%s of %s) was told of %s", w.Token, w.Kind, w.Index, t)
		default:
			taken[w.Task] = w
		}
	}
	for _, t := range tasks {
		w := taken[t.UID]
		if w == nil {
			w = owner(t, byToken, writes, taken, tasks)
			if w == nil {
				complain("nobody asked for %s, or it was asked for once and made twice", t)
				continue
			}
			taken[t.UID] = w
		}
		all = append(all, carried{t, w})
	}
	return all, wrong
}

// owner finds the write of a task that no client was told of.
func owner(t *Task, byToken map[string]*Write, writes []*Write, taken map[int64]*Write, tasks []*Task) *Write {
	used := map[*Write]bool{}
	for _, w := range taken {
		used[w] = true
	}
	if t.CustomMetadata != nil {
		if w := byToken[*t.CustomMetadata]; w != nil && w.Outcome == Unknown && !used[w] && fits(w, t, tasks) {
			return w
		}
		return nil
	}
	for _, w := range writes {
		if w.Outcome == Unknown && !used[w] && fits(w, t, tasks) {
			return w
		}
	}
	return nil
}

// fits reports whether a task can be that of a write.
func fits(w *Write, t *Task, tasks []*Task) bool {
	if t.Type != taskTypes[w.Kind] {
		return false
	}
	switch {
	case w.Kind == kindSwap:
		return true
	case originalIndex(t, tasks) != w.Index:
		return false
	case w.Kind == kindSettings:
		return strings.Contains(string(t.Details), `"`+w.Token+`"`)
	case w.tokenless():
		return true
	}
	return t.CustomMetadata != nil && *t.CustomMetadata == w.Token
}

// originalIndex is the uid under which a task was asked for: swaps that came later
// have taken it to the index's new one.
func originalIndex(t *Task, tasks []*Task) string {
	if t.IndexUID == nil {
		return ""
	}
	uid := *t.IndexUID
	for _, later := range slices.Backward(tasks) {
		if later.UID <= t.UID {
			break
		}
		if later.Type == taskTypes[kindSwap] && later.Status == "succeeded" {
			uid = other(uid)
		}
	}
	return uid
}
