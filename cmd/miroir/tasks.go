package main

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/miroir-search/miroir/messages"
)

// shownTask is what the commands print of a task.
type shownTask struct {
	UID        int64                           `json:"uid"`
	IndexUID   *string                         `json:"indexUid"`
	Status     string                          `json:"status"`
	Type       string                          `json:"type"`
	CanceledBy *int64                          `json:"canceledBy"`
	Details    json.RawMessage                 `json:"details"`
	Error      *struct{ Code, Message string } `json:"error"`
	EnqueuedAt time.Time                       `json:"enqueuedAt"`
	StartedAt  *time.Time                      `json:"startedAt"`
	FinishedAt *time.Time                      `json:"finishedAt"`
	Parts      []messages.TaskPart             `json:"parts"`
}

type shownTasks struct {
	Results []shownTask `json:"results"`
	Total   int64       `json:"total"`
}

func (p *program) tasksCommand() *cobra.Command {
	r := &remote{}
	var limit int
	var statuses, indexes, types string
	cmd := &cobra.Command{
		Use:   "tasks [uid]",
		Short: "List tasks, or show one with each node's part",
		Args:  cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := p.prepare(cmd, r); err != nil {
				return err
			}
			path := "/_miroir/tasks?limit=" + strconv.Itoa(limit)
			if statuses != "" {
				path += "&statuses=" + url.QueryEscape(statuses)
			}
			if indexes != "" {
				path += "&indexUids=" + url.QueryEscape(indexes)
			}
			if types != "" {
				path += "&types=" + url.QueryEscape(types)
			}
			if len(args) == 1 {
				path = "/_miroir/tasks/" + url.PathEscape(args[0])
			}
			body, err := r.get(cmd.Context(), path)
			if err != nil {
				return err
			}
			return p.printTasks(body, r.asJSON, len(args) == 1)
		},
	}
	r.flags(cmd)
	cmd.Flags().IntVar(&limit, "limit", 20, "how many tasks to list")
	cmd.Flags().StringVar(&statuses, "statuses", "", "only these, between commas: enqueued, processing, succeeded, failed, canceled")
	cmd.Flags().StringVar(&types, "types", "", "only of these types, between commas, such as documentDeletion")
	cmd.Flags().StringVar(&indexes, "indexes", "", "only of these indexes, between commas")
	return cmd
}

func (p *program) printTasks(body []byte, asJSON, one bool) error {
	if asJSON {
		return p.printf("%s\n", body)
	}
	if one {
		t, err := decode[shownTask](body)
		if err != nil {
			return err
		}
		return p.printf("%s", taskText(&t))
	}
	list, err := decode[shownTasks](body)
	if err != nil {
		return err
	}
	return p.printf("%s", tasksText(&list, time.Now()))
}

func tasksText(list *shownTasks, now time.Time) string {
	t := &table{
		head:   []string{"UID", "STATUS", "TYPE", "INDEX", "AGE", "TOOK"},
		limits: []int{10, 10, 24, 16, 7, 9}, right: []bool{true, false, false, false, true, true},
	}
	for i := range list.Results {
		x := &list.Results[i]
		t.add(strconv.FormatInt(x.UID, 10), x.Status, x.Type, x.index(), age(now.Sub(x.EnqueuedAt)), x.took())
		if x.Error != nil {
			t.note(x.Error.Code + ": " + x.Error.Message)
		}
	}
	return fmt.Sprintf("%s\n%d of %d tasks\n", t, len(list.Results), list.Total)
}

func taskText(x *shownTask) string {
	var b strings.Builder
	line := func(name, value string) {
		for _, part := range wrap(value, tableWidth-10) {
			fmt.Fprintf(&b, "%-9s %s\n", name, part)
			name = ""
		}
	}
	line("task", strconv.FormatInt(x.UID, 10)+" "+x.Type)
	line("index", x.index())
	if x.CanceledBy != nil {
		line("status", fmt.Sprintf("%s by task %d", x.Status, *x.CanceledBy))
	} else {
		line("status", x.Status)
	}
	line("enqueued", x.EnqueuedAt.UTC().Format(time.RFC3339))
	line("took", x.took())
	if len(x.Details) > 0 {
		line("details", string(x.Details))
	}
	if x.Error != nil {
		line("error", x.Error.Code+": "+x.Error.Message)
	}
	t := &table{
		head:   []string{"STEP", "KIND", "NODE", "STATE", "NODE TASKS"},
		limits: []int{8, 20, 20, 10, 14}, right: []bool{true, false, false, false, false},
	}
	for _, part := range x.Parts {
		tasks := make([]string, len(part.NodeTasks))
		for i, uid := range part.NodeTasks {
			tasks[i] = strconv.FormatInt(uid, 10)
		}
		t.add(strconv.FormatInt(part.Step, 10), part.Kind, part.Node, part.State, orDash(strings.Join(tasks, ",")))
		if part.Error != nil {
			t.note(errorText(part.Error))
		}
	}
	return b.String() + "\n" + t.String()
}

// errorText is the message of an error object, or the whole of it.
func errorText(v any) string {
	if m, ok := v.(map[string]any); ok {
		if text, ok := m["message"].(string); ok {
			return text
		}
	}
	return fmt.Sprint(v)
}

func (x *shownTask) index() string {
	if x.IndexUID == nil {
		return "-"
	}
	return *x.IndexUID
}

func (x *shownTask) took() string {
	if x.StartedAt == nil || x.FinishedAt == nil {
		return "-"
	}
	return x.FinishedAt.Sub(*x.StartedAt).Round(time.Millisecond).String()
}
