package main

import (
	"fmt"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/builtin"
	"github.com/jobline/jobline/executor/command"
)

// taskTypes are what this binary offers.
func taskTypes(o command.Options) ([]executor.Type, error) {
	exec, err := command.Type(o)
	if err != nil {
		return nil, err
	}
	types, err := builtin.Types()
	if err != nil {
		return nil, fmt.Errorf("define the task types: %w", err)
	}
	return append(types, exec), nil
}

// typeNames are the names to complete, with their descriptions.
func typeNames() []string {
	infos, err := typeInfos(nil)
	if err != nil {
		return nil // a completion has nowhere to say why
	}
	names := make([]string, len(infos))
	for i, info := range infos {
		names[i] = info.Name + "\t" + info.Description
	}
	return names
}
