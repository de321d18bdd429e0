package embedded

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/miroir-search/miroir/api"
)

// metricsPage writes gauges in the text format of Prometheus.
type metricsPage struct{ text []byte }

func (m *metricsPage) head(name, help string) {
	m.text = fmt.Appendf(m.text, "# HELP %s %s\n# TYPE %s gauge\n", name, help, name)
}

// value adds a sample; labels come as name, value.
func (m *metricsPage) value(name string, v float64, labels ...string) {
	m.text = append(m.text, name...)
	for i := 0; i+1 < len(labels); i += 2 {
		m.text = fmt.Appendf(m.text, "%s%s=%q", string("{,"[min(i, 1)]), labels[i], labels[i+1])
	}
	if len(labels) > 0 {
		m.text = append(m.text, '}')
	}
	m.text = fmt.Appendf(m.text, " %s\n", strings.TrimSuffix(api.FormatFloat(v), ".0"))
}

func (m *metricsPage) single(name, help string, v float64) {
	m.head(name, help)
	m.value(name, v)
}

// taskCounts counts tasks by state, type and index.
func (c *core) taskCounts() map[string]map[string]int {
	out := map[string]map[string]int{"statuses": {}, "types": {}, "indexes": {}}
	for _, s := range api.TaskStatuses() {
		out["statuses"][s] = 0
	}
	for _, kind := range api.TaskTypes() {
		out["types"][kind] = 0
	}
	c.mu.RLock()
	defer c.mu.RUnlock()
	for uid := range c.indexes {
		out["indexes"][uid] = 0
	}
	for _, rec := range c.records {
		out["statuses"][rec.task.Status]++
		out["types"][rec.task.Type]++
		if rec.task.IndexUID != nil {
			out["indexes"][*rec.task.IndexUID]++
		}
	}
	return out
}

// getMetrics shows the gauges that an embedded node has a value for, under the names of the real server.
func getMetrics(r *request) (*reply, *api.Error) {
	c := r.core
	if err := c.require("metrics", "Getting metrics"); err != nil {
		return nil, err
	}
	if r.access.restricted() {
		return nil, api.InvalidAPIKey()
	}
	m := &metricsPage{}
	uids := c.uids(access{})
	total := uint64(0)
	m.head("meilisearch_index_docs_count", "Meilisearch Index Docs Count")
	for _, uid := range uids {
		if x, err := c.lookup(uid); err == nil {
			total += x.rawSize()
			m.value("meilisearch_index_docs_count", float64(x.engine.Len()), "index", uid)
		}
	}
	m.single("meilisearch_db_size_bytes", "Meilisearch DB Size In Bytes", float64(total))
	m.single("meilisearch_used_db_size_bytes", "Meilisearch Used DB Size In Bytes", float64(total))
	m.single("meilisearch_index_count", "Meilisearch Index Count", float64(len(uids)))
	c.mu.RLock()
	busy, last, waiting := len(c.working) > 0, c.stats.lastUpdate, slices.Clone(c.queue)
	latency := 0.0
	if len(waiting) > 0 {
		latency = c.now().Sub(c.records[waiting[0]].task.EnqueuedAt).Seconds()
	}
	c.mu.RUnlock()
	m.single("meilisearch_is_indexing", "Meilisearch Is Indexing", map[bool]float64{true: 1}[busy])
	if !last.IsZero() {
		m.single("meilisearch_last_update", "Meilisearch Last Update", float64(last.Unix()))
	}
	m.head("meilisearch_nb_tasks", "Meilisearch Number of tasks")
	counts := c.taskCounts()
	for _, kind := range sortedKeys(counts) {
		for _, value := range sortedKeys(counts[kind]) {
			m.value("meilisearch_nb_tasks", float64(counts[kind][value]), "kind", kind, "value", value)
		}
	}
	m.single("meilisearch_task_queue_latency_seconds", "Meilisearch Task Queue Latency in Seconds", latency)
	return &reply{status: http.StatusOK, raw: m.text, contentType: "text/plain; version=0.0.4"}, nil
}
