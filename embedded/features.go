package embedded

import (
	"fmt"
	"maps"
	"net/http"

	"github.com/miroir-search/miroir/api"
)

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
	return api.FeatureOff(key, action)
}

func getFeatures(r *request) (*reply, *api.Error) {
	raw := []byte{'{'}
	for i, f := range api.Features() {
		if i > 0 {
			raw = append(raw, ',')
		}
		raw = fmt.Appendf(raw, "%q:%t", f.Key, r.core.feature(f.Key))
	}
	return &reply{status: http.StatusOK, raw: append(raw, '}')}, nil
}

func patchFeatures(r *request) (*reply, *api.Error) {
	changes := make(map[string]*bool)
	var fields []api.Field
	for _, f := range api.Features() {
		fields = append(fields, api.Field{Name: f.Key, Into: func(v api.Value, at api.At) *api.Error {
			var on *bool
			err := api.Maybe("bad_request", &on, api.Bool)(v, at)
			changes[f.Key] = on
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
