package http

import (
	"net/http"

	"github.com/miroir-search/miroir/api"
	"github.com/miroir-search/miroir/auth"
)

func (s *Server) keyRoutes() {
	s.route(http.MethodGet, "/keys", ActionKeysGet, listKeys)
	s.route(http.MethodPost, "/keys", ActionKeysCreate, createKey)
	s.route(http.MethodGet, "/keys/:key", ActionKeysGet, getKey)
	s.route(http.MethodPatch, "/keys/:key", ActionKeysUpdate, patchKey)
	s.route(http.MethodDelete, "/keys/:key", ActionKeysDelete, deleteKey)
}

func listKeys(c *call) error {
	offset, limit, bad := api.ParsePage(c.query(), "invalid_api_key_offset", "invalid_api_key_limit")
	if bad != nil {
		return bad
	}
	k := c.s.opts.Keys
	all := k.ring.Load().Keys()
	out := page[auth.View]{Results: []auth.View{}, Offset: offset, Limit: limit, Total: len(all)}
	for _, key := range all[min(offset, len(all)):] {
		if len(out.Results) >= limit {
			break
		}
		out.Results = append(out.Results, key.View(k.master))
	}
	return c.json(http.StatusOK, out)
}

func createKey(c *call) error {
	v, err := c.jsonValue()
	if err != nil {
		return err
	}
	k := c.s.opts.Keys
	made, bad := auth.DecodeKey(v, k.now())
	if bad != nil {
		return bad
	}
	key, err := k.change(c.ctx(), func(r *auth.Ring) (*auth.Key, *auth.Ring, *api.Error) {
		if r.Has(made.UID) {
			return nil, nil, api.APIKeyAlreadyExists(made.UID)
		}
		return made, r.With(made), nil
	})
	if err != nil {
		return err
	}
	return c.json(http.StatusCreated, key.View(k.master))
}

func getKey(c *call) error {
	k := c.s.opts.Keys
	key, bad := k.ring.Load().Find(c.param("key"))
	if bad != nil {
		return bad
	}
	return c.json(http.StatusOK, key.View(k.master))
}

func patchKey(c *call) error {
	v, err := c.jsonValue()
	if err != nil {
		return err
	}
	patch, bad := auth.DecodePatch(v)
	if bad != nil {
		return bad
	}
	k := c.s.opts.Keys
	key, err := k.change(c.ctx(), func(r *auth.Ring) (*auth.Key, *auth.Ring, *api.Error) {
		old, bad := r.Find(c.param("key"))
		if bad != nil {
			return nil, nil, bad
		}
		next := patch.Apply(old, k.now())
		return next, r.With(next), nil
	})
	if err != nil {
		return err
	}
	return c.json(http.StatusOK, key.View(k.master))
}

func deleteKey(c *call) error {
	_, err := c.s.opts.Keys.change(c.ctx(), func(r *auth.Ring) (*auth.Key, *auth.Ring, *api.Error) {
		key, bad := r.Find(c.param("key"))
		if bad != nil {
			return nil, nil, bad
		}
		return key, r.Without(key), nil
	})
	if err != nil {
		return err
	}
	return c.send(http.StatusNoContent, nil, nil)
}
