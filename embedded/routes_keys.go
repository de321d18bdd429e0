package embedded

import (
	"encoding/json"
	"fmt"
	"net/http"

	bolt "go.etcd.io/bbolt"

	"github.com/miroir-search/miroir/api"
	"github.com/miroir-search/miroir/auth"
)

func keyRoutes() []route {
	return []route{
		{method: "GET", path: "/keys", action: "keys.get", handle: listKeys},
		{method: "POST", path: "/keys", action: "keys.create", handle: createKey},
		{method: "GET", path: "/keys/:key", action: "keys.get", handle: getKey},
		{method: "PATCH", path: "/keys/:key", action: "keys.update", handle: patchKey},
		{method: "DELETE", path: "/keys/:key", action: "keys.delete", handle: deleteKey},
	}
}

// ring is the set of keys in force.
func (c *core) ring() *auth.Ring {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.keys
}

// createDefaultKeys makes the four keys of a first start.
func (c *core) createDefaultKeys() error {
	for _, k := range auth.Defaults(c.now()) {
		if err := c.putKey(k); err != nil {
			return err
		}
	}
	return nil
}

// putKey stores a key, a new one or another state of one.
func (c *core) putKey(k *auth.Key) error {
	if c.store != nil {
		err := c.store.db.Update(func(tx *bolt.Tx) error { return putJSON(tx.Bucket(bucketKeys), []byte(k.UID), k) })
		if err != nil {
			return fmt.Errorf("write key: %w", err)
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.keys = c.keys.With(k)
	return nil
}

func (c *core) loadKeys(b *bolt.Bucket) error {
	var keys []*auth.Key
	err := b.ForEach(func(_, value []byte) error {
		k := &auth.Key{}
		if err := json.Unmarshal(value, k); err != nil {
			return fmt.Errorf("read key: %w", err)
		}
		keys = append(keys, k)
		return nil
	})
	c.keys = auth.NewRing(c.opt.MasterKey, keys)
	return err
}

func listKeys(r *request) (*reply, *api.Error) {
	offset, limit, err := api.ParsePage(r.URL.RawQuery, "invalid_api_key_offset", "invalid_api_key_limit")
	if err != nil {
		return nil, err
	}
	all := r.core.ring().Keys()
	views := make([]auth.View, len(all))
	for i, k := range all {
		views[i] = k.View(r.core.opt.MasterKey)
	}
	return ok(cut(views, offset, limit))
}

// keyOfPath finds a key by uid or by value.
func (r *request) keyOfPath() (*auth.Key, *api.Error) { return r.core.ring().Find(r.params["key"]) }

func getKey(r *request) (*reply, *api.Error) {
	k, err := r.keyOfPath()
	if err != nil {
		return nil, err
	}
	return ok(k.View(r.core.opt.MasterKey))
}

func createKey(r *request) (*reply, *api.Error) {
	c := r.core
	v, err := r.readJSON()
	if err != nil {
		return nil, err
	}
	k, err := auth.DecodeKey(v, c.now())
	if err != nil {
		return nil, err
	}
	if c.ring().Has(k.UID) {
		return nil, api.APIKeyAlreadyExists(k.UID)
	}
	if err := c.putKey(k); err != nil {
		return nil, api.Internal(err.Error())
	}
	return &reply{status: http.StatusCreated, body: k.View(c.opt.MasterKey)}, nil
}

func patchKey(r *request) (*reply, *api.Error) {
	v, err := r.readJSON()
	if err != nil {
		return nil, err
	}
	patch, err := auth.DecodePatch(v)
	if err != nil {
		return nil, err
	}
	k, err := r.keyOfPath()
	if err != nil {
		return nil, err
	}
	next := patch.Apply(k, r.core.now())
	if err := r.core.putKey(next); err != nil {
		return nil, api.Internal(err.Error())
	}
	return ok(next.View(r.core.opt.MasterKey))
}

func deleteKey(r *request) (*reply, *api.Error) {
	k, err := r.keyOfPath()
	if err != nil {
		return nil, err
	}
	c := r.core
	if c.store != nil {
		err := c.store.db.Update(func(tx *bolt.Tx) error { return tx.Bucket(bucketKeys).Delete([]byte(k.UID)) })
		if err != nil {
			return nil, api.Internal(fmt.Sprintf("delete key: %v", err))
		}
	}
	c.mu.Lock()
	c.keys = c.keys.Without(k)
	c.mu.Unlock()
	return &reply{status: http.StatusNoContent}, nil
}
