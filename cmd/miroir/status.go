package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/miroir-search/miroir/messages"
)

func (p *program) statusCommand() *cobra.Command {
	r := &remote{}
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show groups and nodes of a running proxy, and how far a change of the fleet has come",
		Long: `Show groups and nodes of a running proxy, and how far a change of the fleet has come.

It begins with one word: "healthy", "moving" while the fleet changes, "rebuilding" while
copies are made equal to others, or "degraded" when a node is out of service or lacks writes.

The exit code is 1 when it is degraded or the proxy does not answer, otherwise 0.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := p.prepare(cmd, r); err != nil {
				return err
			}
			body, err := r.get(cmd.Context(), "/_miroir/topology")
			if err != nil {
				return err
			}
			top, err := decode[messages.Topology](body)
			if err != nil {
				return err
			}
			if r.asJSON {
				err = p.printf("%s\n", body)
			} else {
				err = p.printf("%s", statusText(&top, time.Now()))
			}
			if err == nil && top.Degraded {
				err = errToldAlready
			}
			return err
		},
	}
	r.flags(cmd)
	return cmd
}

// statusText fits 80 columns.
func statusText(top *messages.Topology, now time.Time) string {
	ready, nodes := 0, 0
	t := &table{
		head:   []string{"GROUP", "NODE", "STATE", "FOR", "SHARDS", "BEHIND", "VERSION"},
		limits: []int{5, 22, 11, 7, 6, 6, 10},
		right:  []bool{true, false, false, true, true, true, false},
	}
	for _, g := range top.Groups {
		for _, n := range g.Nodes {
			nodes++
			if n.State == "ready" {
				ready++
			}
			since := "-"
			if !n.Since.IsZero() {
				since = age(now.Sub(n.Since))
			}
			t.add(strconv.Itoa(g.ID), n.ID, n.State, since, strconv.Itoa(n.Shards), strconv.Itoa(n.Behind), orDash(n.Version))
			if n.Reason != "" {
				t.note(n.Reason)
			}
		}
	}
	moving := ""
	if top.Move != nil {
		moving = moveText(top.Move)
	}
	return fmt.Sprintf("%s: %d of %s ready, %s, %s, %s in each group\n%s\n%s",
		health(top), ready, count(nodes, "node", "nodes"), count(len(top.Groups), "group", "groups"), count(top.Shards, "shard", "shards"),
		count(top.ReplicationFactor, "copy", "copies"), moving, t) + rebuildsText(top.Rebuilds)
}

// health is the state of the fleet in one word.
func health(top *messages.Topology) string {
	switch {
	case top.Degraded:
		return "degraded"
	case top.Move != nil:
		return "moving"
	case len(top.Rebuilds) > 0:
		return "rebuilding"
	}
	return "healthy"
}

// rebuildsText lists the copies that are being rebuilt, with a bar each.
func rebuildsText(list []messages.TopologyRebuild) string {
	if len(list) == 0 {
		return ""
	}
	t := &table{
		head:   []string{"REBUILD", "INDEX", "SHARDS", "PROGRESS", "STATE"},
		limits: []int{14, 16, 6, 22, 10},
		right:  []bool{false, false, true, false, false},
	}
	for _, r := range list {
		t.add(r.Node, r.IndexUID, strconv.Itoa(len(r.Shards)), bar(r.Copied, r.Total), r.State)
		note := r.Reason
		if r.Problem != "" {
			note = r.Problem
		}
		t.note(note)
	}
	return "\n" + t.String()
}

// bar draws how much of a whole is done.
func bar(done, total int64) string {
	const width = 14
	if total <= 0 {
		return "[" + strings.Repeat(".", width) + "]"
	}
	done = min(done, total)
	full := int(width * done / total)
	return fmt.Sprintf("[%s%s] %3d %%", strings.Repeat("#", full), strings.Repeat(".", width-full), 100*done/total)
}

// moveText shows how far a change of the fleet has come, and what is left.
func moveText(m *messages.TopologyMove) string {
	what := "moving"
	if m.Shards.Done == m.Shards.Total && m.Indexes.Done == m.Indexes.Total {
		what = "removing what is left over"
	}
	text := fmt.Sprintf("%s %s\n%d of %s of shards, %d of %s, %s under way\n",
		what, bar(int64(m.Shards.Done+m.Indexes.Done), int64(m.Shards.Total+m.Indexes.Total)),
		m.Shards.Done, count(m.Shards.Total, "copy", "copies"), m.Indexes.Done, count(m.Indexes.Total, "index", "indexes"),
		count(int(m.Documents), "document", "documents"))
	if len(m.Leaving) > 0 {
		text += cut("leaving: "+strings.Join(m.Leaving, ", "), tableWidth) + "\n"
	}
	return text
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
