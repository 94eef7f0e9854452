// cni-attach gives a pod its default network and then those that its annotation k8s.v1.cni.cncf.io/networks names, as
// net1, net2, …: the part of the public NetworkAttachmentDefinition specification (version 1.3) that the lab's bed uses.
// It makes no interface itself, it delegates to the CNI plugins that the definitions name.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

const (
	networksAnnotation = "k8s.v1.cni.cncf.io/networks"
	statusAnnotation   = "k8s.v1.cni.cncf.io/network-status"
	delegateLimit      = 30 * time.Second
	codeDelegate       = 100 // "100+" is for a plugin's own errors
)

// configuration is what stands in /etc/cni/net.d.
type configuration struct {
	CNIVersion string          `json:"cniVersion"`
	Name       string          `json:"name"`
	API        string          `json:"api"` // https://address:port of the API server
	CA         string          `json:"ca"`  // PEM files
	Cert       string          `json:"cert"`
	Key        string          `json:"key"`
	State      string          `json:"state"`   // folder that remembers what each pod was given
	Default    json.RawMessage `json:"default"` // the network of eth0
}

// attachment is one delegate that was called, so that DEL can call it again whatever the API says by then.
type attachment struct {
	Interface string          `json:"interface"`
	Network   string          `json:"network"`
	Config    json.RawMessage `json:"config"`
	Result    json.RawMessage `json:"result,omitempty"` // of ADD, for CHECK and DEL
}

// result is the part of a CNI result that the status annotation repeats.
type result struct {
	Interfaces []struct {
		Name    string `json:"name"`
		Mac     string `json:"mac"`
		Sandbox string `json:"sandbox"`
	} `json:"interfaces"`
	IPs []struct {
		Address string `json:"address"`
	} `json:"ips"`
}

type status struct {
	Name      string   `json:"name"`
	Interface string   `json:"interface"`
	IPs       []string `json:"ips"`
	Mac       string   `json:"mac,omitempty"`
	Default   bool     `json:"default,omitempty"`
}

func main() {
	command := os.Getenv("CNI_COMMAND")
	if command == "VERSION" {
		fmt.Println(`{"cniVersion":"0.4.0","supportedVersions":["0.3.1","0.4.0"]}`)
		return
	}
	if err := run(command); err != nil {
		answer, _ := json.Marshal(map[string]any{"cniVersion": "0.4.0", "code": codeDelegate, "msg": err.Error()})
		fmt.Println(string(answer))
		os.Exit(1)
	}
}

func run(command string) error {
	input, err := io.ReadAll(os.Stdin)
	if err != nil {
		return err
	}
	var conf configuration
	if err := json.Unmarshal(input, &conf); err != nil {
		return fmt.Errorf("configuration: %w", err)
	}
	switch command {
	case "ADD":
		return add(conf)
	case "DEL":
		return remove(conf)
	case "CHECK":
		return check(conf)
	}
	return fmt.Errorf("CNI_COMMAND %q is not ADD, DEL, CHECK or VERSION", command)
}

func add(conf configuration) (err error) {
	given := []attachment{{Interface: os.Getenv("CNI_IFNAME"), Network: conf.Name, Config: conf.Default}}
	defer func() {
		if err != nil { // half a pod network is none: take back what was given
			err = errors.Join(err, undo(given))
		}
	}()
	if err := remember(conf, given); err != nil {
		return err
	}
	output, err := delegate("ADD", given[0])
	if err != nil {
		return err
	}
	given[0].Result = output
	statuses := []status{describe(given[0], output)}
	statuses[0].Default = true
	namespace, name := pod()
	if namespace == "" {
		_, err = os.Stdout.Write(output)
		return err
	}
	api, err := newClient(conf)
	if err != nil {
		return err
	}
	wanted, err := api.networks(namespace, name)
	if err != nil {
		return err
	}
	for number, network := range wanted {
		definition, err := api.definition(network.namespace, network.name)
		if err != nil {
			return err
		}
		interfaceName := network.interfaceName
		if interfaceName == "" {
			interfaceName = fmt.Sprintf("net%d", number+1)
		}
		next := attachment{Interface: interfaceName, Network: network.namespace + "/" + network.name, Config: definition}
		given = append(given, next)
		if err := remember(conf, given); err != nil {
			return err
		}
		answer, err := delegate("ADD", next)
		if err != nil {
			return err
		}
		given[len(given)-1].Result = answer
		statuses = append(statuses, describe(next, answer))
	}
	if err := remember(conf, given); err != nil {
		return err
	}
	if len(wanted) > 0 {
		if err := api.annotate(namespace, name, statuses); err != nil {
			return err
		}
	}
	_, err = os.Stdout.Write(output)
	return err
}

// remove undoes what was given, last first; a pod that was never given anything is no error.
func remove(conf configuration) error {
	given, err := remembered(conf)
	if errors.Is(err, os.ErrNotExist) {
		given = []attachment{{Interface: os.Getenv("CNI_IFNAME"), Network: conf.Name, Config: conf.Default}}
	} else if err != nil {
		return err
	}
	if err := undo(given); err != nil {
		return err
	}
	if err := os.Remove(statePath(conf)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// check asks every delegate whether what it gave is still there.
func check(conf configuration) error {
	given, err := remembered(conf)
	if err != nil {
		return fmt.Errorf("nothing is known of this pod: %w", err)
	}
	var failures []error
	for _, attached := range given {
		_, err := delegate("CHECK", attached)
		failures = append(failures, err)
	}
	return errors.Join(failures...)
}

func undo(given []attachment) error {
	var failures []error
	for number := len(given) - 1; number >= 0; number-- {
		_, err := delegate("DEL", given[number])
		if err != nil && addressing(given[number]) == "dhcp" {
			// Without its daemon a lease cannot be given back; it runs out, but the interface must go.
			given[number].Config = without(given[number].Config, "ipam")
			_, err = delegate("DEL", given[number])
		}
		failures = append(failures, err)
	}
	return errors.Join(failures...)
}

// addressing is the kind of IPAM that a network's configuration names.
func addressing(to attachment) string {
	var conf struct {
		IPAM struct {
			Type string `json:"type"`
		} `json:"ipam"`
	}
	_ = json.Unmarshal(to.Config, &conf)
	return conf.IPAM.Type
}

func without(config json.RawMessage, key string) json.RawMessage {
	return with(config, key, nil)
}

// with is a configuration with one key set, or, where the value is empty, without it.
func with(config json.RawMessage, key string, value json.RawMessage) json.RawMessage {
	var fields map[string]json.RawMessage
	if json.Unmarshal(config, &fields) != nil {
		return config
	}
	delete(fields, key)
	if len(value) > 0 {
		fields[key] = value
	}
	changed, err := json.Marshal(fields)
	if err != nil {
		return config
	}
	return changed
}

// delegate calls the plugin that a network's configuration names, for one interface of the pod.
func delegate(command string, to attachment) ([]byte, error) {
	var plugin struct {
		Type   string `json:"type"`
		Master string `json:"master"`
	}
	if err := json.Unmarshal(to.Config, &plugin); err != nil || plugin.Type == "" {
		return nil, fmt.Errorf("network %s: its configuration names no plugin type", to.Network)
	}
	path, err := find(plugin.Type)
	if err != nil {
		return nil, fmt.Errorf("network %s: %w", to.Network, err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), delegateLimit)
	defer cancel()
	process := exec.CommandContext(ctx, path)
	process.Env = append(os.Environ(), "CNI_COMMAND="+command, "CNI_IFNAME="+to.Interface, "CNI_PATH="+strings.Join(folders(), ":"))
	process.Stdin = bytes.NewReader(with(to.Config, "prevResult", to.Result))
	var stdout, stderr bytes.Buffer
	process.Stdout, process.Stderr = &stdout, &stderr
	if err := process.Run(); err != nil {
		var told struct {
			Message string `json:"msg"`
			Details string `json:"details"`
		}
		_ = json.Unmarshal(stdout.Bytes(), &told)
		if _, missing := net.InterfaceByName(plugin.Master); plugin.Master != "" && missing != nil && command == "ADD" {
			told.Message = fmt.Sprintf("failed to find master interface %s: %s", plugin.Master, told.Message)
		}
		said := strings.TrimSpace(strings.Join([]string{told.Message, told.Details, stderr.String()}, " "))
		return nil, fmt.Errorf("network %s on %s: %s: %s (%w)", to.Network, to.Interface, plugin.Type, said, err)
	}
	return stdout.Bytes(), nil
}

func folders() []string {
	return append(filepath.SplitList(os.Getenv("CNI_PATH")), "/usr/lib/cni")
}

func find(plugin string) (string, error) {
	for _, folder := range folders() {
		path := filepath.Join(folder, filepath.Base(plugin))
		if information, err := os.Stat(path); err == nil && !information.IsDir() {
			return path, nil
		}
	}
	return "", fmt.Errorf("plugin %q is in none of %s", plugin, strings.Join(folders(), ", "))
}

func describe(given attachment, output []byte) status {
	var told result
	_ = json.Unmarshal(output, &told)
	said := status{Name: given.Network, Interface: given.Interface}
	for _, address := range told.IPs {
		said.IPs = append(said.IPs, strings.SplitN(address.Address, "/", 2)[0])
	}
	for _, device := range told.Interfaces {
		if device.Name == given.Interface && device.Sandbox != "" {
			said.Mac = device.Mac
		}
	}
	return said
}

func pod() (namespace, name string) {
	for _, pair := range strings.Split(os.Getenv("CNI_ARGS"), ";") {
		key, value, _ := strings.Cut(pair, "=")
		switch key {
		case "K8S_POD_NAMESPACE":
			namespace = value
		case "K8S_POD_NAME":
			name = value
		}
	}
	return namespace, name
}

func statePath(conf configuration) string {
	return filepath.Join(conf.State, filepath.Base(os.Getenv("CNI_CONTAINERID"))+".json")
}

func remember(conf configuration, given []attachment) error {
	if err := os.MkdirAll(conf.State, 0o700); err != nil {
		return err
	}
	text, err := json.Marshal(given)
	if err != nil {
		return err
	}
	part := statePath(conf) + ".part"
	if err := os.WriteFile(part, text, 0o600); err != nil {
		return err
	}
	return os.Rename(part, statePath(conf))
}

func remembered(conf configuration) (given []attachment, err error) {
	text, err := os.ReadFile(statePath(conf))
	if err != nil {
		return nil, err
	}
	return given, json.Unmarshal(text, &given)
}
