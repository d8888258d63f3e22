//! Which package manager is called, and how.

use super::*;

/// One front end at the top with these files; the server has node and npm alone.
fn project(files: &[(&str, &str)]) -> Scene {
    let commit = files.iter().fold(Commit::new(REVISION), |commit, (name, text)| commit.file(name, text));
    let scene = scene(commit);
    scene.host.on_call("npm install --no-audit", |host, command| {
        for program in ["pnpm", "yarn"] {
            host.put_file(format!("{}/node_modules/.bin/{program}", command.args[5]), "");
        }
        Answer::ok()
    });
    scene.host.on_call("run build", |host, command| {
        host.put_file(command.directory.join("dist/app.js"), "built");
        Answer::ok()
    });
    for install in ["pnpm install", "yarn install", "yarn-4.5.0.cjs install"] {
        scene.host.on(install, Answer::ok());
    }
    scene
}

/// The commands after the ones that ask for versions: program and arguments.
fn called(scene: &Scene) -> Vec<String> {
    scene.run(&Frontends).unwrap();
    let commands = scene.host.commands().into_iter().filter(|command| command.args != ["--version"]);
    commands.map(|command| format!("{} {}", command.program.display(), command.args.join(" "))).collect()
}

#[test]
fn pnpm_is_brought_along_in_a_version_that_reads_the_lock() {
    for (lock, version) in [("5.4", "7.33.7"), ("'6.0'", "8.15.9"), ("'9.0'", "10.34.9")] {
        let lock = format!("lockfileVersion: {lock}\n");
        let scene = project(&[("package.json", PACKAGE), ("pnpm-lock.yaml", &lock)]);
        let tool = format!("/srv/shop/cache/tool/pnpm-{version}");
        let pnpm = format!("{tool}/node_modules/.bin/pnpm");
        let bring =
            format!("/usr/bin/npm install --no-audit --no-fund --no-save --prefix {tool} pnpm@{version}");
        let expected = [bring, format!("{pnpm} install --frozen-lockfile"), format!("{pnpm} run build")];
        assert_eq!(called(&scene), expected);
        let build = scene.host.commands_with("run build").remove(0);
        assert!(
            build.env["PATH"].reveal().starts_with(&format!("{tool}/node_modules/.bin:")),
            "scripts call it, too"
        );
    }
}

#[test]
fn package_json_names_the_version() {
    let package = r#"{"scripts": {"build": "x"}, "packageManager": "pnpm@9.1.0+sha512.abc"}"#;
    let scene = project(&[("package.json", package), ("pnpm-lock.yaml", "lockfileVersion: '9.0'")]);
    assert!(called(&scene)[0].ends_with("/srv/shop/cache/tool/pnpm-9.1.0 pnpm@9.1.0"));
}

#[test]
fn the_servers_own_is_used_when_its_major_version_fits() {
    let files = [("package.json", PACKAGE), ("pnpm-lock.yaml", "lockfileVersion: '9.0'")];
    let with = |answer: Answer| {
        let scene = project(&files);
        scene.host.install("pnpm", "/usr/bin/pnpm");
        scene.host.on("/usr/bin/pnpm --version", answer);
        called(&scene).remove(0)
    };
    assert_eq!(with(Answer::ok().says("10.2.0")), "/usr/bin/pnpm install --frozen-lockfile");
    assert!(with(Answer::ok().says("8.15.0")).contains("pnpm@10.34.9"));
    // A shim of corepack that may not download.
    assert!(with(Answer::code(1).says("Network access disabled")).contains("pnpm@10.34.9"));
}

#[test]
fn yarn_is_two_programs_of_one_name() {
    let scene = project(&[("package.json", PACKAGE), ("yarn.lock", "# yarn lockfile v1\n")]);
    let commands = called(&scene);
    assert!(commands[0].ends_with("/srv/shop/cache/tool/yarn-1.22.22 yarn@1.22.22"));
    assert!(commands[1].ends_with("/yarn install --frozen-lockfile --non-interactive"));
    let berry = "# generated\n\n__metadata:\n  version: 8\n";
    let scene = project(&[("package.json", PACKAGE), ("yarn.lock", berry)]);
    let commands = called(&scene);
    assert!(commands[0].ends_with("/srv/shop/cache/tool/yarnpkgcli-dist-4.18.1 @yarnpkg/cli-dist@4.18.1"));
    assert!(commands[1].ends_with("/yarn install --immutable"));
}

#[test]
fn a_yarn_that_the_project_brings_is_run_by_node() {
    let scene = project(&[
        ("package.json", PACKAGE),
        ("yarn.lock", "__metadata:\n\n__metadata:\n  version: 8\n"),
        (".yarnrc.yml", "nodeLinker: node-modules\nyarnPath: .yarn/releases/yarn-4.5.0.cjs\n"),
        (".yarn/releases/yarn-4.5.0.cjs", ""),
    ]);
    let yarn = format!("/usr/bin/node {RELEASE}/.yarn/releases/yarn-4.5.0.cjs");
    assert_eq!(called(&scene), [format!("{yarn} install --immutable"), format!("{yarn} run build")]);
}

#[test]
fn nodes_version_is_checked_before_anything_is_built() {
    for (file, text) in [
        ("package.json", r#"{"scripts": {"build": "x"}, "engines": {"node": ">=22"}}"#),
        (".nvmrc", "v22\n"),
        (".node-version", "18.1.0\n"),
    ] {
        let files = [("package-lock.json", "{}"), (file, text), ("package.json", PACKAGE)];
        let files = if file == "package.json" { &files[..2] } else { &files[..] };
        let scene = project(files);
        let error = scene.run(&Frontends).unwrap_err();
        assert!(error.to_string().ends_with("and node here is v20.20.2"), "{error}");
        assert!(scene.host.commands_with("npm ci").is_empty());
    }
}
