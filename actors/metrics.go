package actors

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics are the figures of the engine room. Labels are bounded: actor kinds,
// node ids, states, outcomes.
type metrics struct {
	panics           *prometheus.CounterVec
	restarts         *prometheus.CounterVec
	nodeState        *prometheus.GaugeVec
	taskGaps         *prometheus.CounterVec
	tasks            *prometheus.CounterVec
	tasksKept        prometheus.Gauge
	tasksPruned      prometheus.Counter
	keys             *prometheus.CounterVec
	legs             *prometheus.CounterVec
	fallbacks        prometheus.Counter
	degraded         prometheus.Counter
	rebuilds         *prometheus.CounterVec
	journalLimit     *prometheus.CounterVec
	rebuildDocuments *prometheus.CounterVec
}

func newMetrics(reg prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		panics: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "miroir_actor_panics_total", Help: "Panics that were contained, by kind of actor.",
		}, []string{"actor"}),
		restarts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "miroir_actor_restarts_total", Help: "Actors started again by their supervisor.",
		}, []string{"actor"}),
		nodeState: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "miroir_node_state", Help: "1 for the state that a node is in.",
		}, []string{"node", "state"}),
		taskGaps: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "miroir_node_task_gaps_total", Help: "Tasks found on a node that Miroir did not make.",
		}, []string{"node"}),
		tasks: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "miroir_tasks_total", Help: "Tasks that have ended, by status.",
		}, []string{"status"}),
		keys: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "miroir_idempotent_writes_total", Help: "Writes with an Idempotency-Key, by outcome: first, repeated, waited, reused, failed.",
		}, []string{"outcome"}),
		tasksKept: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "miroir_tasks_kept", Help: "Tasks in the history, waiting ones included, when it was last looked.",
		}),
		tasksPruned: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "miroir_tasks_pruned_total", Help: "Tasks deleted because the history was full.",
		}),
		legs: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "miroir_read_legs_total", Help: "Node calls of reads, by outcome.",
		}, []string{"node", "outcome"}),
		fallbacks: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "miroir_read_fallbacks_total", Help: "Legs that were asked of another node after a failure.",
		}),
		degraded: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "miroir_reads_degraded_total", Help: "Reads answered without some shards.",
		}),
		journalLimit: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "miroir_journal_limit_total", Help: "What the limit of the journal led to: nodes whose missed writes were given up for a rebuild, payloads refused.",
		}, []string{"outcome"}),
		rebuilds: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "miroir_rebuilds_total", Help: "Rebuilds of copies: begun, attempts that failed, ended.",
		}, []string{"outcome"}),
		rebuildDocuments: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "miroir_rebuild_documents_total", Help: "Documents that rebuilds compared, sent to a node, or deleted from it.",
		}, []string{"what"}),
	}
	if reg == nil {
		return m, nil
	}
	for _, col := range []prometheus.Collector{m.panics, m.restarts, m.nodeState, m.taskGaps, m.tasks, m.tasksKept, m.tasksPruned, m.keys, m.legs, m.fallbacks, m.degraded, m.journalLimit, m.rebuilds, m.rebuildDocuments} {
		if err := reg.Register(col); err != nil {
			return nil, fmt.Errorf("register metrics; give every cluster a registerer of its own or wrap it with a label: %w", err)
		}
	}
	return m, nil
}

// showNode sets the state of a node.
func (m *metrics) showNode(id string, state nodeState) {
	for s := stateProbing; s <= stateBroken; s++ {
		v := 0.0
		if s == state {
			v = 1
		}
		m.nodeState.WithLabelValues(id, s.String()).Set(v)
	}
}

// forgetNode drops the series of a node that has left for good.
func (m *metrics) forgetNode(id string) {
	of := prometheus.Labels{"node": id}
	m.nodeState.DeletePartialMatch(of)
	m.legs.DeletePartialMatch(of)
	m.taskGaps.DeletePartialMatch(of)
}
