package http

import (
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/miroir-search/miroir/api"
	"github.com/miroir-search/miroir/messages"
)

// settingsRoutes makes the whole route and one sub-route for every setting that
// api knows.
func (s *Server) settingsRoutes() {
	const base = "/indexes/:index/settings"
	s.route(http.MethodGet, base, ActionSettingsGet, getSettings)
	s.route(http.MethodPatch, base, ActionSettingsUpdate, func(c *call) error { return updateSettings(c, api.DecodeSettings) })
	s.route(http.MethodDelete, base, ActionSettingsUpdate, func(c *call) error { return resetSettings(c, api.ResetSettings()) })
	for _, setting := range api.SettingTable() {
		path := base + "/" + setting.Path
		s.route(http.MethodGet, path, ActionSettingsGet, func(c *call) error { return getSetting(c, setting) })
		s.route(setting.Verb, path, ActionSettingsUpdate, func(c *call) error { return updateSettings(c, setting.Decode) })
		s.route(http.MethodDelete, path, ActionSettingsUpdate, func(c *call) error { return resetSettings(c, setting.Reset()) })
	}
}

// settings of the index in the path.
func (c *call) settings() (*api.Settings, error) {
	i, err := c.index()
	if err != nil {
		return nil, err
	}
	all := api.DefaultSettings()
	if len(i.Settings) > 0 {
		if err := json.Unmarshal(i.Settings, all); err != nil {
			return nil, fmt.Errorf("read the stored settings of index %s: %w", i.UID, err)
		}
	}
	return all, nil
}

func getSettings(c *call) error {
	all, err := c.settings()
	if err != nil {
		return err
	}
	return c.json(http.StatusOK, all.Masked())
}

func getSetting(c *call, setting api.Setting) error {
	all, err := c.settings()
	if err != nil {
		return err
	}
	return c.json(http.StatusOK, setting.Get(all))
}

func updateSettings(c *call, decode func(api.Value) (*api.SettingsPatch, *api.Error)) error {
	v, err := c.jsonValue()
	if err != nil {
		return err
	}
	patch, bad := decode(v)
	if bad != nil {
		return bad
	}
	return changeSettings(c, patch, false)
}

func resetSettings(c *call, patch *api.SettingsPatch) error { return changeSettings(c, patch, true) }

func changeSettings(c *call, patch *api.SettingsPatch, reset bool) error {
	uid, err := c.indexUID()
	if err != nil {
		return err
	}
	raw, err := api.Marshal(patch)
	if err != nil {
		return err
	}
	options, err := c.writeOptions(nil)
	if err != nil {
		return err
	}
	return c.change(&messages.UpdateSettings{IndexUID: uid, Patch: raw, Reset: reset, WriteOptions: options})
}
