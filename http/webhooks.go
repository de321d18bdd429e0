package http

import (
	"net/http"

	"github.com/google/uuid"

	"github.com/miroir-search/miroir/api"
)

func (s *Server) webhookRoutes() {
	for _, r := range []struct {
		method, path string
		action       Action
		serve        func(c *call) error
	}{
		{http.MethodGet, "/webhooks", ActionWebhooksGet, listWebhooks},
		{http.MethodPost, "/webhooks", ActionWebhooksCreate, createWebhook},
		{http.MethodGet, "/webhooks/:uuid", ActionWebhooksGet, getWebhook},
		{http.MethodPatch, "/webhooks/:uuid", ActionWebhooksUpdate, patchWebhook},
		{http.MethodDelete, "/webhooks/:uuid", ActionWebhooksDelete, deleteWebhook},
	} {
		if s.opts.Webhooks == nil {
			r.serve = func(*call) error { return notSupported("This Miroir keeps no webhooks. Poll GET /tasks instead.") }
		}
		s.route(r.method, r.path, r.action, r.serve)
	}
}

func listWebhooks(c *call) error {
	return c.json(http.StatusOK, api.ViewWebhooks(c.s.opts.Webhooks.All()))
}

func getWebhook(c *call) error {
	id, bad := api.ParseWebhookUUID(c.param("uuid"))
	if bad != nil {
		return bad
	}
	w, found := c.s.opts.Webhooks.All()[id]
	if !found {
		return api.WebhookNotFound(id)
	}
	return c.json(http.StatusOK, w.View(id))
}

// webhookChange reads the body of POST and PATCH.
func (c *call) webhookChange() (*api.WebhookChange, error) {
	v, err := c.jsonValue()
	if err != nil {
		return nil, err
	}
	n, bad := api.DecodeWebhook(v)
	if bad != nil {
		return nil, bad
	}
	return n, nil
}

func createWebhook(c *call) error {
	n, err := c.webhookChange()
	if err != nil {
		return err
	}
	id := uuid.NewString()
	return c.changeWebhook(http.StatusCreated, id, func(_ *api.Webhook, defined int) (*api.Webhook, *api.Error) {
		return n.Create(id, defined)
	})
}

func patchWebhook(c *call) error {
	n, err := c.webhookChange()
	if err != nil {
		return err
	}
	id, bad := c.editableWebhook()
	if bad != nil {
		return bad
	}
	return c.changeWebhook(http.StatusOK, id, func(old *api.Webhook, _ int) (*api.Webhook, *api.Error) {
		if old == nil {
			return nil, api.WebhookNotFound(id)
		}
		return n.Patch(id, old)
	})
}

func deleteWebhook(c *call) error {
	id, bad := c.editableWebhook()
	if bad != nil {
		return bad
	}
	return c.changeWebhook(http.StatusNoContent, id, func(old *api.Webhook, _ int) (*api.Webhook, *api.Error) {
		if old == nil {
			return nil, api.WebhookNotFound(id)
		}
		return nil, nil
	})
}

// editableWebhook is the uuid in the path, where clients may change what it names.
func (c *call) editableWebhook() (string, *api.Error) {
	id, bad := api.ParseWebhookUUID(c.param("uuid"))
	if bad != nil {
		return "", bad
	}
	if id == api.OwnWebhook {
		return "", api.ImmutableWebhook(id)
	}
	return id, nil
}

// changeWebhook answers with the webhook that there is now, or with nothing when
// there is none.
func (c *call) changeWebhook(status int, id string, next func(old *api.Webhook, defined int) (*api.Webhook, *api.Error)) error {
	w, err := c.s.opts.Webhooks.Change(c.ctx(), id, func(old *api.Webhook, defined int) (*api.Webhook, error) {
		w, bad := next(old, defined)
		if bad != nil {
			return nil, bad
		}
		return w, nil
	})
	switch {
	case err != nil:
		return err
	case w == nil:
		return c.send(status, nil, nil)
	}
	return c.json(status, w.View(id))
}
