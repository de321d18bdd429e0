package checker

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Ledger counts what happened in one seed or in many.
type Ledger struct {
	Seeds, Failed                  int
	Acknowledged, Unknown, Refused int
	Became                         int // unknown writes that were carried out
	Lost                           int // acknowledged writes that are not there
	Tasks                          int
	Reads, ReadsFailed, Degraded   int
	OverSwap                       int           // reads that met a swap on their way
	BirthOrder                     int           // failed for want of an index that has a smaller uid
	Batched                        int           // ended otherwise than by the judge because of a batch
	Faults                         map[Fault]int // by kind, "miroir kill" for the proxy
}

// Add adds the figures of another ledger.
func (l *Ledger) Add(o Ledger) {
	l.Seeds += o.Seeds
	l.Failed += o.Failed
	l.Acknowledged += o.Acknowledged
	l.Unknown += o.Unknown
	l.Refused += o.Refused
	l.Became += o.Became
	l.Lost += o.Lost
	l.Tasks += o.Tasks
	l.Reads += o.Reads
	l.ReadsFailed += o.ReadsFailed
	l.Degraded += o.Degraded
	l.OverSwap += o.OverSwap
	l.BirthOrder += o.BirthOrder
	l.Batched += o.Batched
	if l.Faults == nil {
		l.Faults = map[Fault]int{}
	}
	for k, n := range o.Faults {
		l.Faults[k] += n
	}
}

func (l Ledger) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "seeds run: %d, with violations: %d\nwrites acknowledged: %d, lost: %d\nwrites unknown to their clients: %d, of which carried out: %d; refused: %d; tasks: %d, by birth-order: %d, by batched-with-clear: %d\n",
		l.Seeds, l.Failed, l.Acknowledged, l.Lost, l.Unknown, l.Became, l.Refused, l.Tasks, l.BirthOrder, l.Batched)
	fmt.Fprintf(&b, "reads of documents: %d, without an answer: %d, degraded: %d, by read-over-swap: %d\nfaults:", l.Reads, l.ReadsFailed, l.Degraded, l.OverSwap)
	for _, k := range slices.Sorted(maps.Keys(l.Faults)) {
		fmt.Fprintf(&b, " %s %d,", k, l.Faults[k])
	}
	return strings.TrimSuffix(b.String(), ",")
}

func (r *run) ledger() Ledger {
	h := r.history
	h.mu.Lock()
	defer h.mu.Unlock()
	l := Ledger{Seeds: 1, Lost: r.lost, Became: r.became, BirthOrder: r.birthOrder, Batched: r.batched, OverSwap: r.overSwap, Tasks: len(r.tasks), Faults: map[Fault]int{}}
	if len(r.found) > 0 {
		l.Failed = 1
	}
	for _, w := range h.Writes {
		switch w.Outcome {
		case Acknowledged:
			l.Acknowledged++
		case Refused:
			l.Refused++
		case Unknown:
			l.Unknown++
		}
	}
	for _, q := range h.Reads {
		l.Reads++
		if q.Error != "" {
			l.ReadsFailed++
		}
		if q.Degraded != "" {
			l.Degraded++
		}
	}
	for _, f := range h.Faults {
		kind := f.Fault
		if f.Target == Proxy {
			kind = Proxy + " " + kind
		}
		l.Faults[kind]++
	}
	return l
}
