package embedded

import (
	"fmt"
	"maps"
	"net/http"

	"github.com/miroir-search/miroir/api"
)

// feature is one experimental feature: its key in the API, its name in error texts, and where it is discussed.
type feature struct{ key, name, link string }

const discussions = "https://github.com/orgs/meilisearch/discussions/"

// features are in the order GET shows them. Some gate nothing by themselves and have no name.
func features() []feature {
	return []feature{
		{"metrics", "metrics", "https://github.com/meilisearch/product/discussions/625"},
		{"logsRoute", "logs route", discussions + "721"},
		{"editDocumentsByFunction", "edit documents by function", discussions + "762"},
		{"containsFilter", "contains filter", discussions + "763"},
		{"dynamicSearchRules", "dynamic search rules", discussions + "884"},
		{"network", "network", discussions + "805"},
		{"getTaskDocumentsRoute", "get task documents route", discussions + "808"},
		{"taskQueueCompactionRoute", "task queue compaction route", discussions + "883"},
		{"compositeEmbedders", "composite embedders", discussions + "816"},
		{"chatCompletions", "chat completions", discussions + "835"},
		{"multimodal", "multimodal", discussions + "846"},
		{"foreignKeys", "foreign_keys", discussions + "873"},
		{key: "disableDocumentsFetchQueue"},
		{key: "legacySearch"},
		{"renderRoute", "render_route", discussions + "888"},
	}
}

func (c *core) feature(key string) bool {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.features[key]
}

// require is the error of doing what needs a feature that is off. The action begins the sentence.
func (c *core) require(key, action string) *api.Error {
	if c.feature(key) {
		return nil
	}
	for _, f := range features() {
		if f.key == key {
			return api.FeatureNotEnabled(action, f.name, f.link)
		}
	}
	return api.Internal("unknown feature " + key)
}

func getFeatures(r *request) (*reply, *api.Error) {
	raw := []byte{'{'}
	for i, f := range features() {
		if i > 0 {
			raw = append(raw, ',')
		}
		raw = fmt.Appendf(raw, "%q:%t", f.key, r.core.feature(f.key))
	}
	return &reply{status: http.StatusOK, raw: append(raw, '}')}, nil
}

func patchFeatures(r *request) (*reply, *api.Error) {
	changes := make(map[string]*bool)
	var fields []api.Field
	for _, f := range features() {
		fields = append(fields, api.Field{Name: f.key, Into: func(v api.Value, at api.At) *api.Error {
			var on *bool
			err := api.Maybe("bad_request", &on, api.Bool)(v, at)
			changes[f.key] = on
			return err
		}})
	}
	if err := r.object(fields...); err != nil {
		return nil, err
	}
	c := r.core
	err := remember(c, metaFeatures, &c.features, func(old map[string]bool) map[string]bool {
		next := make(map[string]bool, len(changes))
		maps.Copy(next, old)
		for key, on := range changes {
			if on != nil {
				next[key] = *on
			}
		}
		return next
	})
	if err != nil {
		return nil, err
	}
	return getFeatures(r)
}
