package embedded

import (
	"fmt"
	"net/http"
	"time"

	"github.com/miroir-search/miroir/api"
)

func miscRoutes() []route {
	all := []route{
		{method: "GET", path: "/", handle: func(*request) (*reply, *api.Error) {
			return ok(map[string]string{"status": "Meilisearch is running"})
		}},
		{method: "GET", path: "/health", handle: func(*request) (*reply, *api.Error) { return ok(map[string]string{"status": "available"}) }},
		{method: "GET", path: "/version", action: "version", handle: getVersion},
		{method: "GET", path: "/stats", action: "stats.get", handle: getStats},
		{method: "GET", path: "/indexes/:index/stats", action: "stats.get", handle: getIndexStats},
		{method: "POST", path: "/dumps", action: "dumps.create", handle: func(r *request) (*reply, *api.Error) {
			d := &api.Details{DumpUID: api.NullOpt[string]()}
			return accepted(r.core.enqueue(api.DumpCreation, &operation{Kind: opDump}, d, nil))
		}},
		{method: "POST", path: "/snapshots", action: "snapshots.create", handle: func(r *request) (*reply, *api.Error) {
			return accepted(r.core.enqueue(api.SnapshotCreation, &operation{Kind: opSnapshot}, nil, nil))
		}},
		{method: "GET", path: "/experimental-features", action: "experimental.get", handle: getFeatures},
		{method: "PATCH", path: "/experimental-features", action: "experimental.update", handle: patchFeatures},
	}
	// what a real server has and this one does not is refused clearly, never answered with 404
	for _, x := range []struct{ method, path, action string }{
		{"GET", "/metrics", "metrics.get"}, {"POST", "/export", "export"}, {"GET", "/network", "network.get"},
		{"PATCH", "/network", "network.update"}, {"POST", "/network/control", "network.update"},
		{"GET", "/webhooks", "webhooks.get"}, {"POST", "/webhooks", "webhooks.create"}, {"GET", "/webhooks/:uuid", "webhooks.get"},
		{"PATCH", "/webhooks/:uuid", "webhooks.update"}, {"DELETE", "/webhooks/:uuid", "webhooks.delete"},
		{"GET", "/chats", "chats.get"}, {"GET", "/chats/:ws", "chats.get"}, {"DELETE", "/chats/:ws", "chats.delete"},
		{"GET", "/chats/:ws/settings", "chatsSettings.get"}, {"PATCH", "/chats/:ws/settings", "chatsSettings.update"},
		{"DELETE", "/chats/:ws/settings", "chatsSettings.update"}, {"POST", "/chats/:ws/chat/completions", "chatCompletions"},
		{"POST", "/dynamic-search-rules", "dynamicSearchRules.get"}, {"DELETE", "/dynamic-search-rules", "dynamicSearchRules.delete"},
		{"GET", "/dynamic-search-rules/:uid", "dynamicSearchRules.get"}, {"PATCH", "/dynamic-search-rules/:uid", "dynamicSearchRules.update"},
		{"DELETE", "/dynamic-search-rules/:uid", "dynamicSearchRules.delete"}, {"POST", "/render-template", "*"},
		{"POST", "/logs/stream", "*"}, {"DELETE", "/logs/stream", "*"}, {"POST", "/logs/stderr", "*"},
		{"GET", "/tasks/:task/documents", "tasks.get"}, {"POST", "/tasks/compact", "tasks.compact"},
	} {
		all = append(all, route{method: x.method, path: x.path, action: x.action, handle: func(*request) (*reply, *api.Error) {
			return nil, api.NewError(api.CodeNotSupported, "an embedded node does not have the route "+x.method+" "+x.path)
		}})
	}
	return append(all, route{method: "POST", path: "/indexes/:index/fields", action: "fields.post", handle: listFields})
}

func getVersion(r *request) (*reply, *api.Error) {
	return ok(struct {
		CommitSha  string `json:"commitSha"`
		CommitDate string `json:"commitDate"`
		PkgVersion string `json:"pkgVersion"`
	}{"embedded", "unknown", r.core.opt.Version})
}

type indexStats struct {
	NumberOfDocuments         int               `json:"numberOfDocuments"`
	RawDocumentDBSize         any               `json:"rawDocumentDbSize"`
	AvgDocumentSize           any               `json:"avgDocumentSize"`
	IsIndexing                bool              `json:"isIndexing"`
	NumberOfEmbeddings        uint64            `json:"numberOfEmbeddings"`
	NumberOfEmbeddedDocuments uint64            `json:"numberOfEmbeddedDocuments"`
	FieldDistribution         map[string]uint64 `json:"fieldDistribution"`
}

type statsParams struct {
	sizes  bool
	format string
}

func parseStats(raw string) (*statsParams, *api.Error) {
	p := &statsParams{format: "raw"}
	return p, api.DecodeQuery(raw, []api.Field{
		{Name: "showInternalDatabaseSizes", Into: api.ParamBool("invalid_stats_show_internal_database_sizes", &p.sizes)},
		{Name: "sizeFormat", Into: api.OneOf("human", "raw")("invalid_stats_size_format", &p.format)},
	})
}

func (p *statsParams) size(n uint64) any {
	if p.format == "human" {
		return humanSize(n)
	}
	return n
}

func humanSize(n uint64) string {
	units := []string{"B", "KiB", "MiB", "GiB", "TiB"}
	f, u := float64(n), 0
	for f >= 1024 && u < len(units)-1 {
		f /= 1024
		u++
	}
	if u == 0 {
		return fmt.Sprintf("%d B", n)
	}
	return fmt.Sprintf("%.2f %s", f, units[u])
}

func (c *core) statsOf(x *index, p *statsParams) indexStats {
	n, size := x.engine.Len(), x.engine.RawSize()
	avg := uint64(0)
	if n > 0 {
		avg = size / uint64(n)
	}
	vectors, documents := x.engine.Embeddings()
	c.mu.RLock()
	busy := false
	for _, uid := range c.working {
		rec := c.records[uid]
		busy = busy || rec != nil && rec.task.IndexUID != nil && *rec.task.IndexUID == x.uid
	}
	c.mu.RUnlock()
	return indexStats{n, p.size(size), p.size(avg), busy, vectors, documents, x.engine.FieldDistribution()}
}

func getIndexStats(r *request) (*reply, *api.Error) {
	p, err := parseStats(r.URL.RawQuery)
	if err != nil {
		return nil, err
	}
	x, err := r.indexOf()
	if err != nil {
		return nil, err
	}
	return ok(r.core.statsOf(x, p))
}

func getStats(r *request) (*reply, *api.Error) {
	p, err := parseStats(r.URL.RawQuery)
	if err != nil {
		return nil, err
	}
	c := r.core
	out := struct {
		DatabaseSize     any                   `json:"databaseSize"`
		UsedDatabaseSize any                   `json:"usedDatabaseSize"`
		LastUpdate       *time.Time            `json:"lastUpdate"`
		Indexes          map[string]indexStats `json:"indexes"`
	}{Indexes: map[string]indexStats{}}
	total := uint64(0)
	for _, uid := range c.uids(access{}) {
		x, err := c.lookup(uid)
		if err != nil {
			continue
		}
		total += x.engine.RawSize()
		if !r.access.allows(uid) {
			continue
		}
		out.Indexes[uid] = c.statsOf(x, p)
		if updated := x.updated; out.LastUpdate == nil || updated.After(*out.LastUpdate) {
			out.LastUpdate = &updated
		}
	}
	out.DatabaseSize, out.UsedDatabaseSize = p.size(total), p.size(total)
	return ok(out)
}

// featureNames are the experimental features in the order GET shows them.
func featureNames() []string {
	return []string{"metrics", "logsRoute", "editDocumentsByFunction", "containsFilter", "dynamicSearchRules", "network",
		"getTaskDocumentsRoute", "taskQueueCompactionRoute", "compositeEmbedders", "chatCompletions", "multimodal", "foreignKeys",
		"disableDocumentsFetchQueue", "legacySearch", "renderRoute"}
}

func getFeatures(r *request) (*reply, *api.Error) {
	raw := []byte{'{'}
	for i, name := range featureNames() {
		if i > 0 {
			raw = append(raw, ',')
		}
		raw = fmt.Appendf(raw, "%q:%t", name, r.core.feature(name))
	}
	return &reply{status: http.StatusOK, raw: append(raw, '}')}, nil
}

func patchFeatures(r *request) (*reply, *api.Error) {
	changes := make(map[string]*bool)
	var fields []api.Field
	for _, name := range featureNames() {
		fields = append(fields, api.Field{Name: name, Into: func(v api.Value, at api.At) *api.Error {
			var on *bool
			err := api.Maybe("bad_request", &on, api.Bool)(v, at)
			changes[name] = on
			return err
		}})
	}
	if err := r.object(fields...); err != nil {
		return nil, err
	}
	c := r.core
	c.mu.Lock()
	for name, on := range changes {
		if on != nil {
			c.features[name] = *on
		}
	}
	c.mu.Unlock()
	if err := c.saveFeatures(); err != nil {
		return nil, api.Internal(err.Error())
	}
	return getFeatures(r)
}

func networkNotEnabled(action string) *api.Error {
	return api.FeatureNotEnabled(action, "network", "https://github.com/orgs/meilisearch/discussions/805")
}

func listFields(r *request) (*reply, *api.Error) {
	return nil, api.NewError(api.CodeNotSupported, "an embedded node does not list fields")
}
