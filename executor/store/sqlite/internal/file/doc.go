// Package file reads and writes what is in the SQLite file of a store. It knows nothing of a
// store's life: package sqlite opens a file to serve it, package inspect to read it.
//
// A file as a whole:
//   - [Probe], [IsEmpty] and [Identify] tell whether it is one of a store, or [UnfinishedCopyError].
//   - [Conn] is a connection; [DialWriter], [DialAlone], [DialReader], [Dial] with a
//     [URI] open one.
//   - [Migrate] brings it to the newest [Version]; [CheckTables] compares its tables with that;
//     [VacuumInto] copies it.
//   - [Corruption] and [ExplainCorruption] tell damage from other errors, with what to do:
//     [AdviceInspect], [AdviceUseOutput]. [LossError] is damage while it was in use;
//     [LeastFree] tells a full disk.
//
// Its write-ahead log: [ScanWAL] finds a [WALDamage], [RewriteWAL] and [RewriteWALAlone] sync what another
// process has left. [WALHeaderSize], [FrameHeaderSize] and [FrameAt] say where its frames are;
// [CheckpointPages] is how long it becomes.
//
// Its rows, by table. Each has a checksum, a [Digest].
//   - store: [State], [ReadState], [WriteState]; [ClockSlack], [ReadGreatest]
//   - store, which tasks are not final: [Open], [ReadOpen], [OpenChanges], [OpenSpan],
//     [ReadOpenSpan], [EachOpenSpan]
//   - task: [TaskRow], [InsertTasks], [ReplaceTask], [RemoveLabel], [TaskColumns], [BareColumns], [ReadTask]; [LargeInput]
//   - done: [DoneRow], [InsertDone], [DoneColumns], [DoneAt], [BehindDone], [ReadDone]
//   - ended, by which ends are found by their numbers: [End], [EndSpan], [EachEnd], [SelectEnds],
//     [EachEndNotFound], [EachUnusedEndSpan]
//   - active, the attempts under way: [Active], [WriteActive], [ActiveOf], [ReadActive], [ReadStart]
//   - type: [Types], [NewTypes]
//   - typed, by which lists find the tasks of a type: [TypeSpan], [SpanOf], [Spans], [SpansOf],
//     [BoundsOfSpan], [SelectOfSpans], [EachUntyped], [EachUnusedSpan]
//   - output: [Piece], [EachPiece], [EachPieceOf], [ReadOutput], [FirstStored], [EndStored], [SelectPieces],
//     [SelectNextPiece], [SelectLastPiece], [PieceDigest], [WrittenBytes]
//   - condition, what tasks wait for: [MemberText], [RemoveConditions], [EachUnusedCondition], [ErrConditions];
//     groups: [WriteGroup], [ReadGroups], the starts that count for their rates: [EachStart];
//     what counts for duplicates: [EachDeduped]; the parts of tasks: [EachChild], [ChildRow];
//     schedule: [WriteSchedule], [ReadSchedules]
//   - retry, the attempts of tasks that others followed: [WriteHistory], [ReadHistory],
//     [RemoveHistory], [HasHistory], [EachHistory], [LostHistory],
//     [ErrHistory]
//   - gone, the ids that are remembered: [ForgottenIDs], [ReadForgotten], [ForgottenDigest]
//
// A Conn and what reads from it belong to one goroutine at a time; Types may be shared.
package file
