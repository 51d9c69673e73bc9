;;; jobline.el --- A queue of tasks that all windows share  -*- lexical-binding: t -*-

;; Author: The jobline authors
;; Version: 0.2.0
;; Package-Requires: ((emacs "28.1"))
;; Keywords: processes, tools, convenience
;; URL: https://github.com/jobline/jobline

;;; Commentary:

;; Runs builds, tests and scripts in the background on the queue of jobline,
;; which all editors and terminals of a user share.  Tasks outlive Emacs.
;;
;;   M-x jobline-run      runs a shell command
;;   M-x jobline-submit   submits a task of any type
;;   M-x jobline-again    runs a recent task again
;;   M-x jobline-list     shows all tasks, live
;;   M-x jobline-logs     shows the output of a task, and jumps to its errors
;;   M-x jobline-cancel   cancels a task
;;   M-x jobline-top      runs "jobline top" in a terminal buffer
;;   M-x jobline-doctor   looks for what is wrong
;;
;; With (jobline-mode) in your init file, Emacs tells at its start what has
;; ended while it was away.
;;
;; One process, "jobline view", tells of all tasks and of what they write, in
;; small pieces with time for keys between them.  Nothing waits for it but a
;; prompt that needs an answer, and that can be quit.

;;; Code:

(require 'ansi-color)
(require 'compile)
(require 'seq)
(require 'subr-x)
(require 'tabulated-list)
(require 'term)

(defgroup jobline nil
  "A queue of tasks that all windows share."
  :group 'processes
  :prefix "jobline-")

(defcustom jobline-program "jobline"
  "The program jobline: a name to find in variable `exec-path', or a path."
  :type 'string)

(defcustom jobline-arguments nil
  "Arguments that choose the server, as (\"--project\" \"/home/ada/unicorns\").
All commands of the program get them.  Nil means the server of the user."
  :type '(repeat string))

(defcustom jobline-max-lines 100000
  "How many lines the buffer of a task keeps.  The oldest are removed first."
  :type 'natnum)

(defcustom jobline-max-size (* 10 1024 1024)
  "How many bytes the buffer of a task keeps.  The oldest are removed first."
  :type 'natnum)

(defcustom jobline-list-length 100
  "How many tasks the list shows, the newest first.  At most 1000."
  :type 'natnum)

(defcustom jobline-notify-function #'jobline-notify
  "The function that tells of a task that has ended while nobody looked at it.
It is called with a line of text and the row of the task: a plist with :id,
:title, :state, :error and more."
  :type 'function)

(defconst jobline--slice 0.005
  "How many seconds a timer may work before it lets Emacs read input.")

(defconst jobline--tail (* 256 1024)
  "How many bytes of each stream the buffer of a task shows first.")

(defvar jobline--process nil "The process of jobline view, or nil.")
(defvar jobline--used nil "Whether something was said to `jobline--process'.")
(defvar jobline--connected nil "Whether there is a server.")
(defvar jobline--asked nil "What waits for rows: conses of a function for them, and one for failures.")
(defvar jobline--listed nil "Whether jobline view knows that the list is shown.")
(defvar jobline--rows (make-hash-table :test 'equal) "The tasks as rows of a list, by id.")
(defvar jobline--own (make-hash-table :test 'equal) "Ids of tasks of this Emacs that have not ended.")
(defvar jobline--buffers (make-hash-table :test 'equal) "Buffers of tasks, by id.")
(defvar jobline--looks (make-hash-table :test 'equal) "Faces of parts of lines, by name.")
(defvar jobline--timer nil "The timer that looks for messages of compilers, or nil.")
(defvar jobline--mode-line "" "What the mode line shows of all tasks.")
(put 'jobline--mode-line 'risky-local-variable t)
(defvar jobline-submit-history nil "What was typed for `jobline-submit'.")

(define-error 'jobline-refused "Jobline" 'user-error)

(defvar jobline-mode)
(defvar-local jobline--task-id nil "The id of the task that this buffer shows.")
(defvar-local jobline--row nil "What is known of the task, a plist.")
(defvar-local jobline--shown-tail jobline--tail "How many bytes of each stream were asked for.")
(defvar-local jobline--older nil "Whether there is older output than this buffer shows.")
(defvar-local jobline--over nil "Whether all output of the task is shown.")

;;;; The program

(defun jobline--say (format &rest arguments)
  "Show a message: FORMAT with ARGUMENTS."
  (message "jobline: %s" (apply #'format format arguments)))

(defun jobline--say-words (words)
  "Show the WORDS of the program."
  (jobline--say "%s" words))

(defun jobline--command (name &rest arguments)
  "The words of the command NAME of jobline with ARGUMENTS."
  (unless (and (fboundp 'json-available-p) (json-available-p))
    (user-error "This Emacs was built without JSON; jobline needs it"))
  (unless (executable-find jobline-program)
    (user-error "There is no program %s in `exec-path'; install jobline, or set `jobline-program'" jobline-program))
  `(,jobline-program ,name ,@jobline-arguments ,@arguments))

(defun jobline--words (said)
  "What the program has SAID, without its name, in one line."
  (replace-regexp-in-string
   "[[:cntrl:]]+" " "
   (mapconcat (lambda (line) (string-remove-prefix "jobline: " line)) (split-string said "\n" t) "; ")))

(defun jobline--call (then else name &rest arguments)
  "Run the command NAME of jobline with ARGUMENTS in this directory.
THEN is called with what it prints, or ELSE with why it failed."
  (let* ((command (apply #'jobline--command name arguments)) (buffer (generate-new-buffer " *jobline command*" t)))
    (make-process
     :name "jobline command" :buffer buffer :connection-type 'pipe :noquery t :coding 'utf-8-unix :command command
     :sentinel (lambda (process _event)
                 (unless (process-live-p process)
                   (let ((said (with-current-buffer buffer (buffer-string))))
                     (kill-buffer buffer)
                     (if (= 0 (process-exit-status process)) (funcall then said)
                       (funcall else (jobline--words said)))))))))

(defun jobline--wait (start)
  "What START has its first argument called with, for a prompt that needs it.
Where START has its second called, signal `jobline-refused' with those words.
Timers and other processes go on meanwhile, and \\[keyboard-quit] quits."
  (let (result failure)
    (funcall start (lambda (answer) (setq result (list answer))) (lambda (words) (setq failure words)))
    (while (not (or result failure)) (accept-process-output nil 0.02))
    (when failure (signal 'jobline-refused (list failure)))
    (car result)))

(defun jobline--start (&rest arguments)
  "Start jobline view with ARGUMENTS, and with it a server where there is none."
  (let ((command (apply #'jobline--command "view" "--name" "emacs" "--older-key" "<"
                        (format "--limit=%d" jobline-list-length) arguments))
        (errors (get-buffer-create " *jobline stderr*"))
        (default-directory (expand-file-name "~/"))
        (process-adaptive-read-buffering nil))
    (with-current-buffer errors (erase-buffer))
    (with-current-buffer (get-buffer-create " *jobline*") (erase-buffer))
    (setq jobline--used nil jobline--listed nil
          jobline--process (make-process :name "jobline" :buffer " *jobline*" :stderr errors
                                         :connection-type 'pipe :noquery t :coding '(utf-8-unix . utf-8-unix)
                                         :command command :filter #'jobline--filter :sentinel #'jobline--ended))
    (when-let ((reader (get-buffer-process errors)))
      (set-process-query-on-exit-flag reader nil)
      (set-process-sentinel reader #'ignore))))

(defun jobline--begin ()
  "Start jobline view, and ask for all that is shown."
  (jobline--start)
  (unless jobline-mode (jobline-mode))
  (maphash (lambda (id _) (jobline--send "mine" id)) jobline--own)
  (dolist (buffer (hash-table-values jobline--buffers))
    (with-current-buffer buffer
      (unless jobline--over (jobline--ask))))
  (jobline--show-list))

(defun jobline--send (&rest words)
  "Say a line of WORDS to jobline view, if there is one."
  (setq jobline--used t)
  ;; A process that has just ended signals an error; its sentinel says more.
  (ignore-errors (process-send-string jobline--process (format "%s\n" (string-join words " ")))))

(defun jobline--tell (&rest words)
  "Say a line of WORDS to jobline view, which is started if there is none."
  (unless (process-live-p jobline--process) (jobline--begin))
  (apply #'jobline--send words))

(defun jobline--last-words ()
  "What jobline view has written on stderr, or nil."
  (when-let ((errors (get-buffer " *jobline stderr*")))
    (when-let ((reader (get-buffer-process errors)))
      (accept-process-output reader 0.2))
    (let ((words (jobline--words (with-current-buffer errors (buffer-string)))))
      (unless (string-empty-p words) words))))

(defun jobline--ended (process _event)
  "Handle the end of PROCESS: begin anew where something was said to it."
  (when (and (eq process jobline--process) (not (process-live-p process)))
    (let* ((code (process-exit-status process)) (asked jobline--asked)
           (words (or (jobline--last-words) (format "jobline view has ended with code %d" code))))
      (setq jobline--process nil jobline--connected nil jobline--asked nil)
      (clrhash jobline--rows)
      (jobline--show-mode-line)
      (dolist (functions asked) (funcall (cdr functions) words))
      (cond ((/= 0 code)
             (jobline--say (if (string-prefix-p "unknown command" words) "%s; it is too old: install a newer one"
                             "%s; M-x jobline-doctor looks for what is wrong")
                           words))
            (jobline--used (jobline--begin))))))

(defun jobline--filter (process text)
  "Take in the lines of TEXT, which PROCESS, a jobline view, has written.
They are parsed in its buffer, which leaves less garbage than strings do."
  (when (buffer-live-p (process-buffer process))
    (with-current-buffer (process-buffer process)
      (goto-char (point-max))
      (insert text)
      (when (string-search "\n" text)
        (goto-char (point-min))
        (while (save-excursion (search-forward "\n" nil t))
          (with-demoted-errors "jobline: %S"
            (let ((line (json-parse-buffer :object-type 'plist :array-type 'list :null-object nil :false-object nil)))
              (save-current-buffer (jobline--take line))))
          (forward-line 1))
        (delete-region (point-min) (point))))))

(defun jobline--take (line)
  "Take in LINE, which jobline view has said."
  (let ((value (cadr line)))
    (pcase (car line)
      (:rows (jobline--take-rows value))
      (:output (jobline--take-output value))
      (:looks (jobline--take-looks value))
      (:ended (jobline--take-end value))
      (:away (jobline--say "finished while you were away: %s" (plist-get value :text)))
      (:say (jobline--say-words (plist-get value :text)))
      (:connected (setq jobline--connected value)
                  (unless value
                    (clrhash jobline--rows)
                    (jobline--show-mode-line))))))

(defun jobline--take-rows (rows)
  "Take in ROWS, what has changed in the list of tasks."
  (when (plist-get rows :whole) (clrhash jobline--rows))
  (dolist (id (plist-get rows :gone)) (remhash id jobline--rows))
  (dolist (row (plist-get rows :set))
    (let* ((id (plist-get row :id)) (buffer (gethash id jobline--buffers)))
      (puthash id row jobline--rows)
      (when buffer (with-current-buffer buffer (jobline--describe row)))))
  (jobline--show-mode-line)
  (jobline--show-list)
  (when (plist-get rows :asked)
    (let ((asked jobline--asked))
      (setq jobline--asked nil)
      (dolist (functions asked) (funcall (car functions) t)))))

(defun jobline--take-end (row)
  "Tell a user who does not look at it that the task of ROW has ended."
  (remhash (plist-get row :id) jobline--own)
  (unless (jobline--looking-p (plist-get row :id))
    (funcall jobline-notify-function (format "%s %s" (plist-get row :title) (plist-get row :status)) row)))

(defun jobline--looking-p (id)
  "Whether the user can see the buffer of the task with ID."
  (when-let ((buffer (gethash id jobline--buffers)))
    (seq-some (lambda (window) (frame-focus-state (window-frame window)))
              (get-buffer-window-list buffer 'nomini 'visible))))

(defun jobline-notify (text _task)
  "Show TEXT in the echo area, the default of `jobline-notify-function'."
  (jobline--say-words text))

(defun jobline--newest-first ()
  "The rows, the newest first."
  (sort (hash-table-values jobline--rows) (lambda (a b) (string> (plist-get a :id) (plist-get b :id)))))

(defun jobline--show-mode-line ()
  "Compute the text of the mode line about all tasks that run."
  (let* ((running (seq-filter (lambda (row) (equal (plist-get row :state) "running")) (jobline--newest-first)))
         (percent (plist-get (seq-find (lambda (row) (plist-get row :percent)) running) :percent))
         (text (cond ((not running) "")
                     (percent (format " [jobline %d: %d%%]" (length running) percent))
                     (t (format " [jobline %d]" (length running))))))
    (unless (equal text jobline--mode-line)
      (setq jobline--mode-line text)
      (force-mode-line-update t))))

;;;###autoload
(define-minor-mode jobline-mode
  "Show in the mode line what runs on jobline, and tell of what has ended.
Where tasks of an earlier session are open, this connects at once; else the
first command does."
  :global t
  (setq global-mode-string (delq 'jobline--mode-line global-mode-string))
  (cond (jobline-mode
         (unless global-mode-string (setq global-mode-string '("")))
         (add-to-list 'global-mode-string 'jobline--mode-line t)
         (unless jobline--process
           (condition-case failure (jobline--start "--resume")
             (user-error (jobline--say-words (cadr failure))))))
        ((process-live-p jobline--process)
         (setq jobline--used nil)
         (process-send-eof jobline--process))))

;;;; Submitting

(defun jobline--submit (then else &rest arguments)
  "Submit a task by the program with ARGUMENTS, and show its buffer.
Then THEN is called with its id, or ELSE with why there is none."
  (when (file-remote-p default-directory)
    (user-error "%s is on another machine; jobline runs commands on this one" default-directory))
  (apply #'jobline--call
         (lambda (said)
           (string-match "[-0-9a-f]\\{36\\}" said)
           (let ((id (match-string 0 said)))
             (puthash id t jobline--own)
             (jobline--tell "mine" id)
             (display-buffer (jobline--buffer id))
             (funcall then id)))
         else arguments))

;;;###autoload
(defun jobline-run (command)
  "Run the shell command COMMAND in the background, and show its output.
It runs in the directory and with the environment of the current buffer.
Variables whose names tell of secrets are kept in no file."
  (interactive (list (read-shell-command "Run on jobline: " (eval compile-command t) 'compile-history)))
  (save-some-buffers (not compilation-ask-about-save) compilation-save-buffers-predicate)
  (jobline--submit #'ignore #'jobline--say-words
                   "submit" "--label" "owner=emacs" "--" shell-file-name shell-command-switch command))

(defun jobline--complete (typed)
  "The words that the last word of TYPED, a type and its input, may be."
  (let ((command (jobline--command "types" "--complete" typed)))
    (with-temp-buffer
      (apply #'call-process (car command) nil '(t nil) nil (cdr command))
      (split-string (buffer-string) "\n" t))))

(defun jobline--complete-input (name)
  "Complete the word at point as a member of the input of NAME, or its value."
  (let* ((beginning (minibuffer-prompt-end)) (end (point))
         (start (save-excursion (skip-chars-backward "^ \t" beginning) (point)))
         (words (jobline--complete (concat name " " (buffer-substring-no-properties beginning end)))))
    (list start end words :exclusive 'no)))

(defun jobline--read-input (name text words)
  "Read the input of the type NAME in the minibuffer, starting with TEXT.
WORDS, if any, tell what was wrong with it."
  (let ((map (make-sparse-keymap)))
    (set-keymap-parent map minibuffer-local-map)
    (define-key map "\t" #'completion-at-point)
    (minibuffer-with-setup-hook
        (lambda ()
          (add-hook 'completion-at-point-functions (lambda () (jobline--complete-input name)) nil t))
      (read-from-minibuffer (concat (and words (propertize (concat words "\n") 'face 'error))
                                    (format "%s (TAB completes NAME=VALUE): " name))
                            text map nil 'jobline-submit-history))))

(defun jobline--read-type ()
  "Read the name of a task type."
  (let* ((said (jobline--wait (lambda (then else) (jobline--call then else "types" "--json"))))
         (types (mapcar (lambda (type) (cons (gethash "name" type) (gethash "description" type)))
                        (gethash "types" (json-parse-string said))))
         (completion-extra-properties
          (list :annotation-function (lambda (name) (concat "  " (cdr (assoc name types)))))))
    (completing-read "Task type: " types nil t)))

;;;###autoload
(defun jobline-submit (name &optional text)
  "Submit a task of the type NAME with the input TEXT, and show its output.
TEXT is a JSON object, or words NAME=VALUE as a shell quotes them; in the
minibuffer TAB completes members of the input and their values.  What the
server refuses is shown in its words, and can be mended."
  (interactive (list (jobline--read-type)))
  (let ((asks (not text)) words id)
    (while (not id)
      (when asks (setq text (jobline--read-input name text words)))
      (condition-case failure
          (let ((input (if (string-match-p "\\`[ \t]*{" text) (list "--input" text)
                         (mapcan (lambda (word) (list "--set" word)) (split-string-and-unquote text)))))
            (setq id (jobline--wait
                      (lambda (then else)
                        (apply #'jobline--submit then else "submit" "--label" "owner=emacs" name input)))))
        (error
         (setq words (if (stringp (cadr failure)) (cadr failure) (error-message-string failure)))
         (unless asks (user-error "%s" words)))))))

(defun jobline--read-task (prompt states)
  "Read one of the tasks that are in STATES with PROMPT, and answer its id."
  (jobline--wait (lambda (then else)
                   (jobline--tell "list" (if jobline--listed "on" "off"))
                   (push (cons then else) jobline--asked)))
  (let ((choices (mapcar (lambda (row)
                           (cons (mapconcat (lambda (key) (plist-get row key)) '(:title :status :short) "  ")
                                 (plist-get row :id)))
                         (seq-filter (lambda (row) (member (plist-get row :state) states)) (jobline--newest-first)))))
    (unless choices (user-error "There is no such task"))
    (cdr (assoc (completing-read prompt choices nil t) choices))))

(defun jobline--id (prompt &rest states)
  "The id of the task here, or else of one in STATES that is read with PROMPT."
  (or jobline--task-id (and (derived-mode-p 'jobline-list-mode) (tabulated-list-get-id))
      (jobline--read-task prompt states)))

;;;###autoload
(defun jobline-again (id)
  "Submit the task with ID again: the same type, input and labels."
  (interactive (list (jobline--id "Run again: " "completed" "failed" "cancelled")))
  (jobline--submit #'ignore #'jobline--say-words "retry" id))

;;;###autoload
(defun jobline-cancel (id)
  "Cancel the task with ID."
  (interactive (list (jobline--id "Cancel: " "running" "queued")))
  (jobline--call (lambda (said) (jobline--say-words (jobline--words said)))
                 #'jobline--say-words "cancel" "--reason" "cancelled in Emacs" id))

;;;; The buffer of a task

(defvar jobline-task-mode-map
  (let ((map (make-sparse-keymap)))
    (define-key map (kbd "C-c C-k") #'jobline-cancel)
    (define-key map "g" #'jobline-again)
    (define-key map "<" #'jobline-load-earlier)
    (define-key map "l" #'jobline-list)
    map)
  "Keys in the buffer of a task, beside those of `compilation-mode'.")

(define-derived-mode jobline-task-mode compilation-mode "Jobline"
  "Mode of the buffer that shows the output of a task.
\\{jobline-task-mode-map}"
  (setq font-lock-defaults '(nil t)     ; messages are looked for in small steps by a timer
        buffer-undo-list t)
  (setq-local revert-buffer-function (lambda (&rest _) (jobline-again jobline--task-id))))

(defun jobline--describe (row)
  "Show ROW, of this buffer's task, in its mode line and header."
  (let ((directory (plist-get row :dir)))
    (when (and directory (file-directory-p directory))
      (setq default-directory (file-name-as-directory directory))))
  (setq jobline--row row
        header-line-format (string-replace "%" "%%" (concat " " (plist-get row :title)))
        mode-line-process (concat ":" (plist-get row :status)))
  (force-mode-line-update))

(defun jobline--buffer (id)
  "The buffer of the task with ID, which is made and filled where there is none."
  (or (gethash id jobline--buffers)
      (with-current-buffer (generate-new-buffer (format "*jobline %s*" (substring id -8)))
        (jobline-task-mode)
        (setq jobline--task-id id)
        (puthash id (current-buffer) jobline--buffers)
        (add-hook 'kill-buffer-hook #'jobline--forget nil t)
        (when-let ((row (gethash id jobline--rows))) (jobline--describe row))
        (jobline--open)
        (current-buffer))))

(defun jobline--open ()
  "Have the output of this buffer's task shown, from its tail on."
  (setq jobline--over nil)
  (if (process-live-p jobline--process) (jobline--ask) (jobline--begin)))

(defun jobline--ask ()
  "Ask for the output of this buffer's task, from its tail on."
  (apply #'jobline--send "open" jobline--task-id
         (mapcar #'number-to-string (list jobline--shown-tail jobline-max-lines jobline-max-size))))

(defun jobline--forget ()
  "Ask for no more output of the task whose buffer is killed."
  (remhash jobline--task-id jobline--buffers)
  (jobline--send "close" jobline--task-id))

(defun jobline-load-earlier ()
  "Show more of the output before the first line of this buffer."
  (interactive nil jobline-task-mode)
  (unless jobline--older (user-error "All of the output that is kept is shown"))
  (setq jobline--shown-tail (min (* 2 jobline--shown-tail) (expt 2 30)))
  (goto-char (point-min))
  (jobline--open))

(defun jobline--take-output (told)
  "Show what TOLD has of the output of a task."
  (when-let ((buffer (gethash (plist-get told :id) jobline--buffers)))
    (with-current-buffer buffer
      (let* ((inhibit-read-only t) (row (plist-get told :ended))
             ;; A user who has asked for earlier output stays where it begins.
             (end (if (and (= (buffer-size) 0) (> jobline--shown-tail jobline--tail)) -1 (point-max)))
             (follows (= (point) end))
             (windows (seq-filter (lambda (window) (= (window-point window) end)) (get-buffer-window-list nil nil t))))
        (save-excursion (jobline--put told))
        (when follows (goto-char (point-max)))
        (dolist (window windows) (set-window-point window (point-max)))
        (when (plist-get told :clear) (setq jobline--older nil))
        (when (plist-get told :older) (setq jobline--older t))
        (when row
          (setq jobline--over t)
          (jobline--describe row))
        (when (plist-get told :error)
          (setq jobline--over t)
          (jobline--say-words (plist-get told :error)))
        (jobline--parse-soon)))))

(defun jobline--put (told)
  "Put what TOLD has into the place of the last line of this buffer."
  (when (plist-get told :clear)
    (erase-buffer)
    (setq compilation-num-errors-found 0 compilation-num-warnings-found 0 compilation-num-infos-found 0))
  (when (plist-get told :lines)
    (goto-char (point-max))
    (delete-region (line-beginning-position) (point-max))
    (let ((start (point)) (at 0))
      (insert (string-join (plist-get told :lines) "\n"))
      (goto-char start)
      (pcase-dolist (`(,line ,column ,length ,look) (plist-get told :spans))
        (forward-line (- line at))
        (setq at line)
        (let ((from (+ (position-bytes (point)) column)))
          (put-text-property (byte-to-position from) (byte-to-position (+ from length))
                             'font-lock-face (gethash look jobline--looks))))))
  (when (plist-get told :drop)
    (goto-char (point-min))
    (forward-line (plist-get told :drop))
    (let ((inhibit-modification-hooks t)) ; or all the rest would be parsed again
      (delete-region (point-min) (line-end-position))
      (goto-char (point-min))
      (insert (plist-get told :first)))))

(defconst jobline--attributes
  '(("bold" :weight bold) ("italic" :slant italic) ("underline" :underline t) ("reverse" :inverse-video t)
    ("strikethrough" :strike-through t))
  "Attributes of faces by the name that jobline view has for them.")

(defun jobline--take-looks (named)
  "Make faces of what NAMED, a plist, has by name."
  (while named
    (let ((name (substring (symbol-name (pop named)) 1)) (look (pop named)))
      (puthash name
               (append (jobline--colour :foreground (plist-get look :fg) (plist-get look :fgColour))
                       (jobline--colour :background (plist-get look :bg) (plist-get look :bgColour))
                       (seq-mapcat (lambda (attribute) (cdr (assoc attribute jobline--attributes)))
                                   (plist-get look :attributes)))
               jobline--looks))))

(defun jobline--colour (attribute index colour)
  "The colour INDEX as ATTRIBUTE of a face: that of the user, or else COLOUR."
  (when index
    (let ((faces (vconcat ansi-color-normal-colors-vector ansi-color-bright-colors-vector)))
      (list attribute (if (< index 16) (face-foreground (aref faces index) nil 'default) colour)))))

(defun jobline--parse-soon ()
  "Have a timer look for messages of compilers."
  (unless jobline--timer (setq jobline--timer (run-at-time 0.01 nil #'jobline--parse))))

(defun jobline--parse ()
  "Look for messages of compilers in buffers that can be seen, for a short time."
  (setq jobline--timer nil)
  (let ((until (+ (float-time) jobline--slice)) more)
    (dolist (buffer (hash-table-values jobline--buffers))
      (when (get-buffer-window buffer t)
        (with-current-buffer buffer
          (let ((end (save-excursion (goto-char (point-max)) (line-beginning-position))) (inhibit-read-only t))
            (while (and (< (jobline--parsed) end) (< (float-time) until))
              (save-excursion
                (goto-char (min end (+ (jobline--parsed) 2000)))
                (compilation--ensure-parse (min end (line-beginning-position 2)))))
            (setq more (or more (< (jobline--parsed) end)))))))
    (when more (jobline--parse-soon))))

(defun jobline--parsed ()
  "Up to where messages of compilers were looked for."
  (if (markerp compilation--parsed) (marker-position compilation--parsed) (point-min)))

;;;###autoload
(defun jobline-logs (id)
  "Show the output of the task with ID, and what it still writes."
  (interactive (list (jobline--id "Output of: " "running" "queued" "completed" "failed" "cancelled")))
  (pop-to-buffer (jobline--buffer id))
  (goto-char (point-max)))

;;;; The list

(defvar jobline-list-mode-map
  (let ((map (make-sparse-keymap)))
    (define-key map (kbd "RET") #'jobline-logs)
    (define-key map "k" #'jobline-cancel)
    (define-key map "r" #'jobline-again)
    (define-key map "!" #'jobline-run)
    (define-key map "+" #'jobline-submit)
    map)
  "Keys in the list of tasks, beside those of `tabulated-list-mode'.")

(define-derived-mode jobline-list-mode tabulated-list-mode "Jobline list"
  "Mode of the list of all tasks, which shows them as they change.
\\{jobline-list-mode-map}"
  (setq tabulated-list-format [("Id" 8 t) ("State" 16 t) ("Time" 8 nil) ("Owner" 9 t) ("Task" 0 t)]
        tabulated-list-padding 1)
  (setq-local revert-buffer-function (lambda (&rest _) (jobline--tell "list" "on")))
  (add-hook 'window-buffer-change-functions (lambda (_) (run-at-time 0 nil #'jobline--show-list)) nil t)
  (tabulated-list-init-header))

;;;###autoload
(defun jobline-list ()
  "Show all tasks, the newest first, as they change.
\\<jobline-list-mode-map>\\[jobline-logs] shows the output of one, \\[jobline-cancel] cancels it,
\\[jobline-again] runs it again, and \\[describe-mode] lists all keys."
  (interactive)
  (pop-to-buffer (get-buffer-create "*jobline list*"))
  (unless (derived-mode-p 'jobline-list-mode) (jobline-list-mode))
  (jobline--tell "list" "on")
  (setq jobline--listed t)
  (jobline--show-list))

(defun jobline--show-list ()
  "Draw the list, or have its times rest where nobody can see it."
  (let* ((buffer (get-buffer "*jobline list*")) (seen (and buffer (get-buffer-window buffer 'visible) t)))
    (unless (or (eq seen jobline--listed) (not (process-live-p jobline--process)))
      (setq jobline--listed seen)
      (jobline--send "list" (if seen "on" "off")))
    (when seen
      (with-current-buffer buffer
        (setq tabulated-list-entries (mapcar #'jobline--entry (jobline--newest-first)))
        (tabulated-list-print t t)))))

(defun jobline--entry (row)
  "The entry of the list for ROW."
  (let ((waits (plist-get row :waits)))
    (list (plist-get row :id)
          (vector (plist-get row :short)
                  (propertize (plist-get row :status)
                              'face (pcase (plist-get row :state)
                                      ("failed" 'error) ("completed" 'success) ("running" 'warning) (_ 'default)))
                  (or (plist-get row :time) "") (or (plist-get row :owner) "")
                  (concat waits (and waits " › ") (plist-get row :title))))))

;;;; The program's own screens

;;;###autoload
(defun jobline-top ()
  "Run \"jobline top\" in a terminal buffer."
  (interactive)
  (let ((command (jobline--command "top")))
    (pop-to-buffer (apply #'make-term "jobline top" (car command) nil (cdr command)))
    (term-mode)
    (term-char-mode)))

;;;###autoload
(defun jobline-doctor ()
  "Look for what is wrong: with Emacs, the program, the server and its files."
  (interactive)
  (with-current-buffer (get-buffer-create "*jobline doctor*")
    (let ((inhibit-read-only t) (buffer (current-buffer)))
      (special-mode)
      (erase-buffer)
      (insert (format "ok     Emacs %s\n" emacs-version)
              (if jobline--connected "ok     connected\n"
                (format "warn   not connected; %s\n" (or (jobline--last-words) "the first command connects"))))
      (condition-case failure
          (let ((command (jobline--command "doctor")))
            (insert (format "ok     program %s\n" (executable-find (car command))))
            (make-process :name "jobline doctor" :buffer buffer :command command :noquery t :connection-type 'pipe
                          :sentinel #'ignore))
        (user-error (insert "fail   " (cadr failure) "\n")))
      (display-buffer buffer))))

(provide 'jobline)
;;; jobline.el ends here
