package cmd

import (
	"fmt"
	"slices"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/task/builtin"
	"github.com/jobline/jobline/executor/task/exec"
	"github.com/jobline/jobline/schema"
)

// taskTypes are the task types of this program, its own and those that ship.
func (p *Program) taskTypes(o exec.Options) ([]executor.Type, error) {
	var shipped []executor.Type
	if !p.NoBuiltins {
		builtins, err := builtin.Types()
		if err != nil {
			return nil, fmt.Errorf("define the task types: %w", err)
		}
		shipped = append(shipped, builtins...)
	}
	if !p.NoExec {
		run, err := exec.Type(o)
		if err != nil {
			return nil, err
		}
		shipped = append(shipped, run)
	}
	types := slices.Clone(p.Types)
	for _, t := range shipped {
		if !slices.ContainsFunc(p.Types, func(own executor.Type) bool { return shareName(own, t) }) {
			types = append(types, t)
		}
	}
	return types, nil
}

// shipsExec says that a type name is that of the exec that ships.
func (p *Program) shipsExec(name string) bool {
	return name == exec.TypeName && !p.NoExec &&
		!slices.ContainsFunc(p.Types, func(own executor.Type) bool { return slices.Contains(allNames(own.Info()), name) })
}

// hasType says that a type has the name, or the alias.
func (p *Program) hasType(name string) bool {
	infos, err := p.typeInfos([]string{name})
	return err == nil && len(infos) > 0
}

// shareName says that two types have a name or an alias in common.
func shareName(a, b executor.Type) bool {
	names := allNames(b.Info())
	return slices.ContainsFunc(allNames(a.Info()), func(name string) bool { return slices.Contains(names, name) })
}

// allNames are the name of a type and its aliases.
func allNames(info schema.TypeInfo) []string {
	return append([]string{info.Name}, info.Aliases...)
}

// typeNames are the names to complete, with their descriptions.
func (p *Program) typeNames() []string {
	infos, err := p.typeInfos(nil)
	if err != nil {
		return nil // a completion has nowhere to say why
	}
	names := make([]string, len(infos))
	for i, info := range infos {
		names[i] = info.Name + "\t" + info.Description
	}
	return names
}
